#!/bin/sh
# pgvector_suite.sh: embed beside pgvector.
#
#   PGVECTOR_SOURCE=/path/to/pgvector sh test/pgvector_suite.sh
#
# 1. pgvector's own tests of its types, run against embed.  They never create
#    the extension themselves, so nothing in them is changed: pg_regress loads
#    embed instead.  Deliberate differences: src/type/README.
# 2. Where the server has pgvector installed: both libraries in one backend,
#    loaded in either order; pgvector's tests against pgvector and against
#    embed, and our tests of the types.
# 3. Where it has: both extensions in one database, and the error when they
#    are put in one schema.
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

# suite TITLE EXTENSION PRELOADED-LIBRARIES INPUT TEST...
suite() {
	title=$1 extension=$2 preload=$3 input=$4
	shift 4
	echo "--- $title"
	rm -rf "$output"
	mkdir -p "$output"
	# The copy test writes to results/ of the working directory.
	if (cd "$output" &&
		PGOPTIONS="$PGOPTIONS${preload:+ -c session_preload_libraries=$preload}" \
		"$regress" --inputdir="$input" --outputdir=. --bindir="$bindir" \
			--dbname=embed_beside_pgvector --load-extension="$extension" "$@" \
			>"$output/log" 2>&1); then
		grep -i 'tests passed' "$output/log" || tail -1 "$output/log"
	else
		cat "$output/log"
		cat "$output/regression.diffs" 2>/dev/null || true
		failures=$((failures + 1))
	fi
}

suite "pgvector's tests, embed" embed "" "$expected_here" $their_tests

if [ "$(ask -c "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'")" = 0 ]; then
	echo "skipped: both in one backend: the server has no pgvector"
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
ask -d postgres -q -c "DROP DATABASE $database"

echo "$failures failed"
exit $((failures > 0))
