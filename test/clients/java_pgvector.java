// needs: com.pgvector:pgvector:0.1.6 org.postgresql:postgresql:42.7.4
// needs: com.kohlschutter.junixsocket:junixsocket-common:2.10.0 com.kohlschutter.junixsocket:junixsocket-native-common:2.10.0
// Only in the long form.
// If this fails, a Java program with JDBC and pgvector's package does not work
// with our extension vector: objects of its types, registered by name, as
// parameters and results, and every distance.

import com.pgvector.PGbit;
import com.pgvector.PGhalfvec;
import com.pgvector.PGsparsevec;
import com.pgvector.PGvector;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;

class Clients {
    // the same as in lib/points.py
    static final float[][] POINTS = {{1, 2, 3.5f}, {4, 1, 1}, {6, 6, 6}, {1, 2, -2}};
    static final float[] QUERY = {1, 2, 3};
    static final String[] BITS = {"1101", "1100", "0010", "0011"};
    static final String[][] DENSE = {
        {"<->", "l2_ops", "[1, 2, 4, 3]"}, {"<#>", "ip_ops", "[3, 1, 2, 4]"},
        {"<=>", "cosine_ops", "[1, 3, 2, 4]"}, {"<+>", "l1_ops", "[1, 4, 2, 3]"}};
    static final String[][] BINARY = {
        {"<~>", "hamming_ops", "[1, 2, 4, 3]"}, {"<%>", "jaccard_ops", "[1, 2, 4, 3]"}};

    static void expect(String what, String got, String wanted) {
        if (!got.equals(wanted)) {
            System.out.println("FAILED " + what + ": " + got + ", not " + wanted);
            System.exit(1);
        }
        System.out.println("ok " + what);
    }

    static void search(Connection connection, String column, String type, Object query, String[][] distances)
            throws Exception {
        for (String[] distance : distances) {
            try (Statement statement = connection.createStatement()) {
                statement.executeUpdate("CREATE INDEX " + column + "_" + distance[1] + " ON items USING hnsw ("
                    + column + " " + type + "_" + distance[1] + ")");
            }
            List<Integer> found = new ArrayList<>();
            try (PreparedStatement statement = connection.prepareStatement(
                    "SELECT id FROM items ORDER BY " + column + " " + distance[0] + " ? LIMIT 4")) {
                statement.setObject(1, query);
                ResultSet rows = statement.executeQuery();
                while (rows.next())
                    found.add(rows.getInt(1));
            }
            expect(column + " " + distance[0], found.toString(), distance[2]);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("socketFactory", "org.newsclub.net.unix.AFUNIXSocketFactory$FactoryArg");
        properties.setProperty("socketFactoryArg", System.getenv("PGHOST") + "/.s.PGSQL." + System.getenv("PGPORT"));
        properties.setProperty("sslMode", "disable");
        Connection connection = DriverManager.getConnection(
            "jdbc:postgresql://localhost/" + System.getenv("PGDATABASE"), properties);
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate("CREATE EXTENSION vector CASCADE");
            PGvector.registerTypes(connection);
            statement.executeUpdate("CREATE TABLE items (id int PRIMARY KEY, embedding vector(3), half halfvec(3),"
                + " sparse sparsevec(3), bits bit(4))");
        }
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO items VALUES (?, ?, ?, ?, ?)")) {
            for (int i = 0; i < POINTS.length; i++) {
                statement.setInt(1, i + 1);
                statement.setObject(2, new PGvector(POINTS[i]));
                statement.setObject(3, new PGhalfvec(POINTS[i]));
                statement.setObject(4, new PGsparsevec(POINTS[i]));
                statement.setObject(5, new PGbit(BITS[i]));
                statement.executeUpdate();
            }
        }
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT id, embedding, half, sparse FROM items ORDER BY id")) {
            while (rows.next()) {
                String wanted = Arrays.toString(POINTS[rows.getInt(1) - 1]);
                expect("vector", Arrays.toString(((PGvector) rows.getObject(2)).toArray()), wanted);
                expect("halfvec", Arrays.toString(((PGhalfvec) rows.getObject(3)).toArray()), wanted);
                expect("sparsevec", Arrays.toString(((PGsparsevec) rows.getObject(4)).toArray()), wanted);
            }
        }
        search(connection, "embedding", "vector", new PGvector(QUERY), DENSE);
        search(connection, "half", "halfvec", new PGhalfvec(QUERY), DENSE);
        search(connection, "sparse", "sparsevec", new PGsparsevec(QUERY), DENSE);
        search(connection, "bits", "bit", new PGbit("1101"), BINARY);
        connection.close();
    }
}
