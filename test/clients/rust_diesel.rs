// needs: pgvector diesel
// crate: pgvector = { version = "0.4", features = ["diesel", "halfvec"] }
// crate: diesel = { version = "2.2", features = ["postgres"] }
// Only in the long form.
// If this fails, a Rust program with the crates diesel and pgvector does not
// work with our extension vector: types that it looks up by name, models of rows,
// and every distance as an expression.

use diesel::prelude::*;
use pgvector::{HalfVector, SparseVector, Vector, VectorExpressionMethods};

mod schema {
    diesel::table! {
        use diesel::sql_types::*;
        use pgvector::sql_types::*;

        items (id) {
            id -> Int4,
            embedding -> Vector,
            half -> HalfVector,
            sparse -> SparseVector,
        }
    }
}
use schema::items;

#[derive(Queryable, Insertable, Debug, PartialEq)]
#[diesel(table_name = items)]
struct Item {
    id: i32,
    embedding: Vector,
    half: HalfVector,
    sparse: SparseVector,
}

// the same as in lib/points.py
const POINTS: [[f32; 3]; 4] = [[1.0, 2.0, 3.5], [4.0, 1.0, 1.0], [6.0, 6.0, 6.0], [1.0, 2.0, -2.0]];
const QUERY: [f32; 3] = [1.0, 2.0, 3.0];

fn item(id: i32, point: &[f32]) -> Item {
    Item {
        id,
        embedding: Vector::from(point.to_vec()),
        half: HalfVector::from_f32_slice(point),
        sparse: SparseVector::from_dense(point),
    }
}

macro_rules! expect {
    ($connection:expr, $column:ident, $query:expr, $($distance:ident $order:expr),*) => {
        $(
            let found: Vec<i32> = items::table
                .select(items::id)
                .order(items::$column.$distance($query))
                .limit(4)
                .load($connection)
                .unwrap();
            assert_eq!(found, $order, "{} {}", stringify!($column), stringify!($distance));
            println!("ok {} {}", stringify!($column), stringify!($distance));
        )*
    };
}

fn main() {
    // everything of the connection comes from the environment
    let connection = &mut PgConnection::establish("").unwrap();
    let statement = |connection: &mut PgConnection, text: &str| {
        diesel::sql_query(text).execute(connection).unwrap();
    };
    statement(connection, "CREATE EXTENSION vector CASCADE");
    statement(
        connection,
        "CREATE TABLE items (id int PRIMARY KEY, embedding vector(3) NOT NULL, half halfvec(3) NOT NULL,
            sparse sparsevec(3) NOT NULL)",
    );
    for (column, kind) in [("embedding", "vector"), ("half", "halfvec"), ("sparse", "sparsevec")] {
        for class in ["l2_ops", "ip_ops", "cosine_ops", "l1_ops"] {
            statement(
                connection,
                &format!("CREATE INDEX {column}_{class} ON items USING hnsw ({column} {kind}_{class})"),
            );
        }
    }
    let all: Vec<Item> = POINTS.iter().enumerate().map(|(i, point)| item(i as i32 + 1, point)).collect();
    diesel::insert_into(items::table).values(&item(1, &POINTS[0])).execute(connection).unwrap();
    for (i, point) in POINTS.iter().enumerate().skip(1) {
        diesel::insert_into(items::table).values(item(i as i32 + 1, point)).execute(connection).unwrap();
    }
    assert_eq!(items::table.order(items::id).load::<Item>(connection).unwrap(), all);
    println!("ok values");

    expect!(connection, embedding, Vector::from(QUERY.to_vec()), l2_distance [1, 2, 4, 3],
        max_inner_product [3, 1, 2, 4], cosine_distance [1, 3, 2, 4], l1_distance [1, 4, 2, 3]);
    expect!(connection, half, HalfVector::from_f32_slice(&QUERY), l2_distance [1, 2, 4, 3],
        max_inner_product [3, 1, 2, 4], cosine_distance [1, 3, 2, 4], l1_distance [1, 4, 2, 3]);
    expect!(connection, sparse, SparseVector::from_dense(&QUERY), l2_distance [1, 2, 4, 3],
        max_inner_product [3, 1, 2, 4], cosine_distance [1, 3, 2, 4], l1_distance [1, 4, 2, 3]);
}
