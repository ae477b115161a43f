// needs: pgvector sqlx tokio half
// crate: pgvector = { version = "0.4", features = ["sqlx", "halfvec"] }
// crate: sqlx = { version = "0.9", default-features = false, features = ["postgres", "runtime-tokio"] }
// crate: tokio = { version = "1", features = ["rt", "macros"] }
// crate: half = "2"
// Only in the long form.
// If this fails, a Rust program with the crates sqlx and pgvector does not work
// with our extension vector: types that it looks up by name when it prepares a
// statement, binary parameters and results, and every distance.

use pgvector::{HalfVector, SparseVector, Vector};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row};
use std::env::var;

// the same as in lib/points.py
const POINTS: [[f32; 3]; 4] = [[1.0, 2.0, 3.5], [4.0, 1.0, 1.0], [6.0, 6.0, 6.0], [1.0, 2.0, -2.0]];
const QUERY: [f32; 3] = [1.0, 2.0, 3.0];
const DENSE: [(&str, &str, [i32; 4]); 4] = [
    ("<->", "l2_ops", [1, 2, 4, 3]),
    ("<#>", "ip_ops", [3, 1, 2, 4]),
    ("<=>", "cosine_ops", [1, 3, 2, 4]),
    ("<+>", "l1_ops", [1, 4, 2, 3]),
];

fn half(values: &[f32]) -> HalfVector {
    HalfVector::from(values.iter().map(|value| half::f16::from_f32(*value)).collect::<Vec<_>>())
}

async fn search(client: &mut PgConnection, column: &str, kind: &str) {
    for (operator, class, order) in DENSE {
        client
            .execute(AssertSqlSafe(format!(
                "CREATE INDEX {column}_{class} ON items USING hnsw ({column} {kind}_{class})"
            )))
            .await
            .unwrap();
        let statement = format!("SELECT id FROM items ORDER BY {column} {operator} $1 LIMIT 4");
        let query = sqlx::query_scalar(AssertSqlSafe(statement));
        let query = match kind {
            "vector" => query.bind(Vector::from(QUERY.to_vec())),
            "halfvec" => query.bind(half(&QUERY)),
            _ => query.bind(SparseVector::from_dense(&QUERY)),
        };
        let found: Vec<i32> = query.fetch_all(&mut *client).await.unwrap();
        assert_eq!(found, order, "{column} {operator}");
        println!("ok {column} {operator}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(var("PGHOST").unwrap())
        .username(&var("PGUSER").unwrap())
        .database(&var("PGDATABASE").unwrap());
    let mut client = options.connect().await.unwrap();
    client.execute("CREATE EXTENSION vector CASCADE").await.unwrap();
    client
        .execute("CREATE TABLE items (id int PRIMARY KEY, embedding vector(3), half halfvec(3), sparse sparsevec(3))")
        .await
        .unwrap();
    for (i, point) in POINTS.iter().enumerate() {
        sqlx::query("INSERT INTO items VALUES ($1, $2, $3, $4)")
            .bind(i as i32 + 1)
            .bind(Vector::from(point.to_vec()))
            .bind(half(point))
            .bind(SparseVector::from_dense(point))
            .execute(&mut client)
            .await
            .unwrap();
    }
    let rows = sqlx::query("SELECT embedding, half, sparse FROM items ORDER BY id").fetch_all(&mut client).await.unwrap();
    for (row, point) in rows.iter().zip(POINTS) {
        assert_eq!(row.get::<Vector, _>(0).to_vec(), point);
        assert_eq!(row.get::<HalfVector, _>(1), half(&point));
        assert_eq!(row.get::<SparseVector, _>(2).to_vec(), point);
    }
    println!("ok values");
    search(&mut client, "embedding", "vector").await;
    search(&mut client, "half", "halfvec").await;
    search(&mut client, "sparse", "sparsevec").await;
}
