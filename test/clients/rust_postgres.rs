// needs: pgvector postgres half bit-vec
// crate: pgvector = { version = "0.4", features = ["postgres", "halfvec"] }
// crate: postgres = { version = "0.19", features = ["with-bit-vec-0_6"] }
// crate: half = "2"
// crate: bit-vec = "0.6"
// Only in the long form.
// If this fails, a Rust program with the crates postgres and pgvector does not
// work with our extension vector: binary parameters and results of its types,
// and every distance.

use pgvector::{HalfVector, SparseVector, Vector};
use postgres::types::ToSql;
use postgres::{Client, NoTls};
use std::env::var;

// the same as in lib/points.py
const POINTS: [[f32; 3]; 4] = [[1.0, 2.0, 3.5], [4.0, 1.0, 1.0], [6.0, 6.0, 6.0], [1.0, 2.0, -2.0]];
const QUERY: [f32; 3] = [1.0, 2.0, 3.0];
const BITS: [u8; 4] = [0b1101_0000, 0b1100_0000, 0b0010_0000, 0b0011_0000];
const DENSE: [(&str, &str, [i32; 4]); 4] = [
    ("<->", "l2_ops", [1, 2, 4, 3]),
    ("<#>", "ip_ops", [3, 1, 2, 4]),
    ("<=>", "cosine_ops", [1, 3, 2, 4]),
    ("<+>", "l1_ops", [1, 4, 2, 3]),
];
const BINARY: [(&str, &str, [i32; 4]); 2] =
    [("<~>", "hamming_ops", [1, 2, 4, 3]), ("<%>", "jaccard_ops", [1, 2, 4, 3])];

fn half(values: &[f32]) -> HalfVector {
    HalfVector::from(values.iter().map(|value| half::f16::from_f32(*value)).collect::<Vec<_>>())
}

fn bits(byte: u8) -> bit_vec::BitVec {
    let mut bits = bit_vec::BitVec::from_bytes(&[byte]);
    bits.truncate(4);
    bits
}

fn main() {
    let mut client = Client::connect(
        &format!("host={} user={} dbname={}", var("PGHOST").unwrap(), var("PGUSER").unwrap(), var("PGDATABASE").unwrap()),
        NoTls,
    )
    .unwrap();
    client
        .batch_execute(
            "CREATE EXTENSION vector CASCADE;
             CREATE TABLE items (id int PRIMARY KEY, embedding vector(3), half halfvec(3),
                 sparse sparsevec(3), bits bit(4))",
        )
        .unwrap();
    for (i, point) in POINTS.iter().enumerate() {
        client
            .execute(
                "INSERT INTO items VALUES ($1, $2, $3, $4, $5)",
                &[
                    &(i as i32 + 1),
                    &Vector::from(point.to_vec()),
                    &half(point),
                    &SparseVector::from_dense(point),
                    &bits(BITS[i]),
                ],
            )
            .unwrap();
    }
    for (row, point) in client
        .query("SELECT embedding, half, sparse, bits FROM items ORDER BY id", &[])
        .unwrap()
        .iter()
        .zip(POINTS)
    {
        assert_eq!(row.get::<_, Vector>(0).to_vec(), point);
        assert_eq!(row.get::<_, HalfVector>(1), half(&point));
        assert_eq!(row.get::<_, SparseVector>(2).to_vec(), point);
    }
    println!("ok values");

    let columns: [(&str, &str, &(dyn ToSql + Sync), &[(&str, &str, [i32; 4])]); 4] = [
        ("embedding", "vector", &Vector::from(QUERY.to_vec()), &DENSE),
        ("half", "halfvec", &half(&QUERY), &DENSE),
        ("sparse", "sparsevec", &SparseVector::from_dense(&QUERY), &DENSE),
        ("bits", "bit", &bits(BITS[0]), &BINARY),
    ];
    for (column, kind, query, distances) in columns {
        for (operator, class, order) in distances {
            client
                .batch_execute(&format!(
                    "CREATE INDEX {column}_{class} ON items USING hnsw ({column} {kind}_{class})"
                ))
                .unwrap();
            let found: Vec<i32> = client
                .query(&format!("SELECT id FROM items ORDER BY {column} {operator} $1 LIMIT 4"), &[query])
                .unwrap()
                .iter()
                .map(|row| row.get(0))
                .collect();
            assert_eq!(&found[..], &order[..], "{column} {operator}");
            println!("ok {column} {operator}");
        }
    }
}
