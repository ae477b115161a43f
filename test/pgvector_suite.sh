#!/bin/sh
# pgvector_suite.sh: embed beside pgvector.
#
#   PGVECTOR_SOURCE=/path/to/pgvector sh test/pgvector_suite.sh
#
# Whose extension "vector" the server has installed decides what is run.
#
# Ours, as "make install" leaves it where pgvector is not:
# 1. pgvector's own tests of its types, run against embed.  They never create
#    the extension themselves, so nothing in them is changed: pg_regress loads
#    embed instead.  Deliberate differences: src/type/README.
# 2. pgvector's own tests of its indexes, against hnsw and ivfflat of this
#    source.  Deliberate differences: as_here() below.
# 3. A dump that 5 left behind is restored, and searched.
#
# pgvector's:
# 4. both libraries in one backend, loaded in either order; pgvector's tests
#    against pgvector and against embed, and our tests of the types;
# 5. both extensions in one database, the error when they are put in one
#    schema, and a dump of a database of pgvector.
#
# Needs an installed embed and a running server, as make installcheck does.
# Exits with 77 when there was nothing to run.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
output=$here/tmp/pgvector
bindir=$("${PG_CONFIG:-pg_config}" --bindir)
regress=$(dirname "$("${PG_CONFIG:-pg_config}" --pgxs)")/../test/regress/pg_regress
PGOPTIONS=${PGOPTIONS:-}
failures=0

if [ -z "${PGVECTOR_SOURCE:-}" ] || [ ! -f "${PGVECTOR_SOURCE:-}/test/sql/vector_type.sql" ]; then
	echo "skipped: PGVECTOR_SOURCE names no directory with the source of pgvector 0.7 or later"
	exit 77
fi
theirs=$(cd "$PGVECTOR_SOURCE/test" && pwd)
their_tests="bit btree cast copy halfvec sparsevec vector_type"
index_tests="hnsw_bit hnsw_halfvec hnsw_sparsevec hnsw_vector ivfflat_bit ivfflat_halfvec ivfflat_vector"
dump=$here/tmp/pgvector-dump.sql
our_tests=$(cd "$here/sql" && ls type_*.sql | sed 's/\.sql$//')

# Deliberate differences, in a copy of what pgvector's tests expect.  Distances
# of huge vectors are computed in double precision here and do not overflow.
expected_here=$here/tmp/pgvector-expected
rm -rf "$expected_here"
mkdir -p "$expected_here"
cp -R "$theirs/sql" "$theirs/expected" "$expected_here/"
awk '/^SELECT cosine_distance\(.\[3e38\]/ { huge = 1 }
	huge && /^ +NaN$/ { sub(/NaN/, "  0"); huge = 0 } { print }' \
	"$theirs/expected/vector_type.out" >"$expected_here/expected/vector_type.out"

ask() { "$bindir/psql" -X -A -t -v ON_ERROR_STOP=1 "$@"; }

# suite TITLE EXTENSIONS PRELOADED-LIBRARIES INPUT TEST...
suite() {
	title=$1 preload=$3 input=$4
	load=$(printf ' --load-extension=%s' $2)
	shift 4
	echo "--- $title"
	rm -rf "$output"
	mkdir -p "$output"
	# The copy test writes to results/ of the working directory.
	if (cd "$output" &&
		PGOPTIONS="$PGOPTIONS${preload:+ -c session_preload_libraries=$preload}" \
		"$regress" --inputdir="$input" --outputdir=. --bindir="$bindir" \
			--dbname=embed_beside_pgvector $load "$@" \
			>"$output/log" 2>&1); then
		grep -i 'tests passed' "$output/log" || tail -1 "$output/log"
	else
		cat "$output/log"
		cat "$output/regression.diffs" 2>/dev/null || true
		failures=$((failures + 1))
	fi
}

# Where an index of this source deliberately differs, in tests and in what
# they expect:
# - Its answer is that of ORDER BY without an index.  So rows without a vector
#   and, under cosine, without a direction are in it, last: pgvector's indexes
#   leave them out.  They are not inserted here.
# - It has no limit of dimensions or of non-zero elements, and takes varbit
#   where all rows are of one length.
# - It loses nothing when it is built early, and says nothing about it.
# - ivfflat.max_probes cuts no answer short.
as_here() {
	for file in $index_tests; do
		for name in "sql/$file.sql" "expected/$file.out"; do
			sed -E -e 's/, \(NULL\);$/;/' \
				-e "/^-- cosine/,/^DROP TABLE/s/\\('(\[0,0,0\]|\{\}\/3)'\\), //" \
				-e '/^-- (varbit|non-zero elements)/,/^DROP TABLE/d' \
				-e '/^(NOTICE:  ivfflat index|DETAIL:  This will cause low|HINT:  Drop the index until)/d' \
				-e '/^SET ivfflat.max_probes = [12];/,/^RESET/{/^RESET/!d}' "$theirs/$name" |
				awk '/^SELECT COUNT\(\*\) FROM t;/ { all = 1 }
					all && /^ +5$/ { sub(/5/, "4"); all = 0 } { print }' >"$expected_here/$name"
		done
	done
}

whose=$(ask -c "SELECT CASE WHEN 'embed' = ANY (requires) THEN 'ours' ELSE 'pgvector' END
	FROM pg_available_extension_versions v JOIN pg_available_extensions e USING (name)
	WHERE name = 'vector' AND version = default_version")
if [ "$whose" = ours ]; then
	suite "pgvector's tests of types, embed" embed "" "$expected_here" $their_tests
	as_here
	suite "pgvector's tests of indexes, embed as vector" "embed vector" "" "$expected_here" $index_tests
	if [ -f "$dump" ]; then
		echo "--- a dump of pgvector, restored"
		database=embed_as_pgvector
		ask -d postgres -q -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database" 2>/dev/null
		ask -d $database -q -c "CREATE EXTENSION embed" -f "$dump" >/dev/null || failures=$((failures + 1))
		answer=$(ask -d $database -c "ALTER EXTENSION vector UPDATE" -c "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname LIKE 'items_%' AND indisvalid" \
			-c "SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM items ORDER BY v <-> '[1,2,3]' LIMIT 3) x" | tail -2 | tr '\n' ' ')
		echo "indexes, nearest rows: $answer"
		[ "$answer" = "6 {1,2,3} " ] || failures=$((failures + 1))
		ask -d postgres -q -c "DROP DATABASE $database"
	fi
	echo "$failures failed"
	exit $((failures > 0))
fi
if [ -z "$whose" ]; then
	suite "pgvector's tests of types, embed" embed "" "$expected_here" $their_tests
	echo "skipped: indexes, and both in one backend: the server has no extension vector"
	exit $((failures > 0))
fi

for order in vector,embed embed,vector; do
	suite "pgvector's tests, pgvector, loaded $order" vector $order "$theirs" $their_tests
	suite "pgvector's tests, embed, loaded $order" embed $order "$expected_here" $their_tests
	suite "our tests, embed, loaded $order" embed $order "$here" $our_tests
done

echo "--- both extensions in one database and one session"
database=embed_beside_pgvector
ask -d postgres -q -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database" 2>/dev/null
ask -d $database -q -c "CREATE EXTENSION vector"
answer=$(ask -d $database -c "CREATE EXTENSION embed" 2>&1) && answer="no error"
echo "$answer"
case $answer in
	*'already exists in schema "public"'*'belongs to extension "vector"'*'CREATE EXTENSION embed SCHEMA embed'*) ;;
	*) echo "FAILED: that is not the error with its hint"; failures=$((failures + 1)) ;;
esac
answer=$(ask -d $database -q <<'SQL'
CREATE SCHEMA embed;
CREATE EXTENSION embed SCHEMA embed;
CREATE TABLE pairs AS
SELECT ARRAY[sin(i), cos(i), i % 7]::real[] AS a, ARRAY[cos(i), i % 5, sin(i)]::real[] AS b FROM generate_series(1, 1000) i;
SELECT count(*) FILTER (WHERE
	abs((a::public.vector OPERATOR(public.<->) b::public.vector) - (a::embed.vector OPERATOR(embed.<->) b::embed.vector)) < 1e-5 AND
	abs((a::public.vector OPERATOR(public.<=>) b::public.vector) - (a::embed.vector OPERATOR(embed.<=>) b::embed.vector)) < 1e-6 AND
	abs((a::public.halfvec OPERATOR(public.<#>) b::public.halfvec) - (a::embed.halfvec OPERATOR(embed.<#>) b::embed.halfvec)) < 1e-3 AND
	abs((a::public.sparsevec OPERATOR(public.<+>) b::public.sparsevec) - (a::embed.sparsevec OPERATOR(embed.<+>) b::embed.sparsevec)) < 1e-5 AND
	a::public.vector::text = a::embed.vector::text AND
	public.vector_send(a::public.vector) = embed.vector_send(a::embed.vector) AND
	public.halfvec_send(a::public.halfvec) = embed.halfvec_send(a::embed.halfvec) AND
	public.sparsevec_send(a::public.sparsevec) = embed.sparsevec_send(a::embed.sparsevec))
FROM pairs;
SQL
)
echo "$answer of 1000 rows agree"
[ "$answer" = 1000 ] || failures=$((failures + 1))

echo "--- ktree and inverted for pgvector's own columns"
answer=$(ask -d $database -q <<'SQL'
SELECT count(*) FROM embed.embed_use_pgvector();
SELECT count(*) FROM embed.embed_use_pgvector();
CREATE TABLE theirs AS
SELECT i AS id, ARRAY[sin(i), cos(i), sin(i * i)]::public.vector(3) AS v, ARRAY[sin(i), cos(i), sin(i * i)]::public.halfvec(3) AS h,
	format('{%s:1}/9', i % 9 + 1)::public.sparsevec AS s FROM generate_series(1, 5000) i;
ALTER TABLE theirs ADD PRIMARY KEY (id);
CREATE INDEX ON theirs USING ktree (v);
CREATE INDEX ON theirs USING ktree (v public.vector_l2_ops, id);
CREATE INDEX ON theirs USING ktree (h public.halfvec_ip_ops);
CREATE INDEX ON theirs USING inverted (s);
SET enable_seqscan = off;
SET enable_sort = off;
SELECT array_agg(id) FROM (SELECT id FROM theirs ORDER BY v OPERATOR(public.<=>) (SELECT v FROM theirs WHERE id = 7) LIMIT 1) x;
SELECT array_agg(id) FROM (SELECT id FROM theirs WHERE id > 6 ORDER BY v OPERATOR(public.<->) (SELECT v FROM theirs WHERE id = 7) LIMIT 1) x;
SELECT array_agg(s) FROM (SELECT s FROM theirs ORDER BY s OPERATOR(public.<#>) '{2:1}/9'::public.sparsevec LIMIT 1) x;
SELECT min(public.l2_distance(v, (v::embed.vector)::public.vector)) FROM theirs;
SELECT count(*) FROM pg_index i, embed.embed_index_check(indexrelid) WHERE indrelid = 'theirs'::regclass AND NOT indisprimary;
SQL
)
answer=$(echo "$answer" | tr '\n' ' ')
echo "$answer"
[ "$answer" = "14 0 {7} {7} {\"{2:1}/9\"} 0 0 " ] || failures=$((failures + 1))
ask -d postgres -q -c "DROP DATABASE $database"

echo "--- a dump of pgvector"
ask -d postgres -q -c "CREATE DATABASE $database"
ask -d $database -q <<'SQL'
CREATE EXTENSION vector;
CREATE TABLE items (id bigint PRIMARY KEY, v vector(3), h halfvec(3), b bit(3), s sparsevec(9));
INSERT INTO items SELECT i, ARRAY[i, 2, 3]::vector, ARRAY[i, 2, 3]::halfvec, i::bit(3), format('{1:%s}/9', i)::sparsevec FROM generate_series(1, 100) i;
CREATE INDEX items_hnsw ON items USING hnsw (v vector_l2_ops) WITH (m = 8, ef_construction = 32);
CREATE INDEX items_half ON items USING hnsw (h halfvec_cosine_ops);
CREATE INDEX items_bits ON items USING hnsw (b bit_jaccard_ops);
CREATE INDEX items_sparse ON items USING hnsw (s sparsevec_ip_ops);
SET client_min_messages = warning;
CREATE INDEX items_lists ON items USING ivfflat (v) WITH (lists = 2);
SQL
"$bindir/pg_dump" -d $database -f "$dump" || failures=$((failures + 1))
ask -d postgres -q -c "DROP DATABASE $database"

echo "$failures failed"
exit $((failures > 0))
