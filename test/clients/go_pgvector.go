// needs: github.com/pgvector/pgvector-go github.com/pgvector/pgvector-go/pgx github.com/jackc/pgx/v5
// Only in the long form.
// If this fails, a Go program with pgx and pgvector-go does not work with our
// extension vector: types registered by name, binary parameters and results,
// COPY, every distance.
package main

import (
	"context"
	"fmt"
	"os"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/pgvector/pgvector-go"
	pgxvec "github.com/pgvector/pgvector-go/pgx"
)

// The same as in lib/points.py.
var points = [][]float32{{1, 2, 3.5}, {4, 1, 1}, {6, 6, 6}, {1, 2, -2}}
var query = []float32{1, 2, 3}
var bits = []string{"1101", "1100", "0010", "0011"}

type distance struct {
	name, operator, class string
	order                 []int32
}

var dense = []distance{
	{"l2", "<->", "l2_ops", []int32{1, 2, 4, 3}},
	{"ip", "<#>", "ip_ops", []int32{3, 1, 2, 4}},
	{"cosine", "<=>", "cosine_ops", []int32{1, 3, 2, 4}},
	{"l1", "<+>", "l1_ops", []int32{1, 4, 2, 3}},
}
var binary = []distance{
	{"hamming", "<~>", "hamming_ops", []int32{1, 2, 4, 3}},
	{"jaccard", "<%>", "jaccard_ops", []int32{1, 2, 4, 3}},
}

func must(err error) {
	if err != nil {
		fmt.Println("FAILED", err)
		os.Exit(1)
	}
}

func expect(what string, got, wanted any) {
	if !reflect.DeepEqual(got, wanted) {
		fmt.Printf("FAILED %s: %v, not %v\n", what, got, wanted)
		os.Exit(1)
	}
	fmt.Println("ok", what)
}

func bitString(text string) pgtype.Bits {
	value := pgtype.Bits{Bytes: []byte{0}, Len: int32(len(text)), Valid: true}
	for i, digit := range text {
		if digit == '1' {
			value.Bytes[0] |= 128 >> i
		}
	}
	return value
}

func main() {
	ctx := context.Background()
	connection, err := pgx.Connect(ctx, "")
	must(err)
	defer connection.Close(ctx)
	execute := func(statement string, values ...any) {
		_, err := connection.Exec(ctx, statement, values...)
		must(err)
	}

	execute("CREATE EXTENSION vector CASCADE")
	must(pgxvec.RegisterTypes(ctx, connection))
	execute(`CREATE TABLE items (id int PRIMARY KEY, embedding vector(3), half halfvec(3),
		sparse sparsevec(3), bits bit(4))`)
	var rows [][]any
	for i, point := range points {
		rows = append(rows, []any{int32(i + 1), pgvector.NewVector(point), pgvector.NewHalfVector(point),
			pgvector.NewSparseVector(point), bitString(bits[i])})
	}
	execute("INSERT INTO items VALUES ($1, $2, $3, $4, $5)", rows[0]...)
	_, err = connection.CopyFrom(ctx, pgx.Identifier{"items"},
		[]string{"id", "embedding", "half", "sparse", "bits"}, pgx.CopyFromRows(rows[1:]))
	must(err)

	for i, point := range points {
		var vector pgvector.Vector
		var half pgvector.HalfVector
		var sparse pgvector.SparseVector
		must(connection.QueryRow(ctx, "SELECT embedding, half, sparse FROM items WHERE id = $1", i+1).
			Scan(&vector, &half, &sparse))
		expect(fmt.Sprint("values of row ", i+1), [][]float32{vector.Slice(), half.Slice(), sparse.Slice()},
			[][]float32{point, point, point})
	}

	for _, column := range []struct {
		name, kind string
		value      any
		distances  []distance
	}{
		{"embedding", "vector", pgvector.NewVector(query), dense},
		{"half", "halfvec", pgvector.NewHalfVector(query), dense},
		{"sparse", "sparsevec", pgvector.NewSparseVector(query), dense},
		{"bits", "bit", bitString("1101"), binary},
	} {
		for _, one := range column.distances {
			execute(fmt.Sprintf("CREATE INDEX %s_%s ON items USING hnsw (%s %s_%s)",
				column.name, one.name, column.name, column.kind, one.class))
			found, err := connection.Query(ctx, fmt.Sprintf("SELECT id FROM items ORDER BY %s %s $1 LIMIT 4",
				column.name, one.operator), column.value)
			must(err)
			order, err := pgx.CollectRows(found, pgx.RowTo[int32])
			must(err)
			expect(column.name+" "+one.name, order, one.order)
		}
	}
}
