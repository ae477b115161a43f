#!/bin/sh
# pgvector's own tests of its types, run against embed.
#
#   PGVECTOR_SOURCE=/path/to/pgvector sh test/pgvector_suite.sh
#
# They never create the extension themselves, so nothing in them is changed:
# pg_regress loads embed instead.  Deliberate differences: src/type/README.md.
# Needs an installed embed and a running server, as make installcheck does.
set -eu

tests="bit btree cast copy halfvec sparsevec vector_type"
here=$(cd "$(dirname "$0")" && pwd)
output=$here/tmp/pgvector
pgxs=$("${PG_CONFIG:-pg_config}" --pgxs)
regress=$(dirname "$pgxs")/../test/regress/pg_regress

if [ -z "${PGVECTOR_SOURCE:-}" ] || [ ! -f "${PGVECTOR_SOURCE:-}/test/sql/vector_type.sql" ]; then
	echo "skipped: pgvector's tests: PGVECTOR_SOURCE names no directory with its source"
	exit 0
fi

source=$(cd "$PGVECTOR_SOURCE" && pwd)
rm -rf "$output"
mkdir -p "$output"
cd "$output"				# the copy test writes to results/
"$regress" --inputdir="$source/test" --outputdir=. \
	--bindir="$("${PG_CONFIG:-pg_config}" --bindir)" \
	--dbname=embed_pgvector_suite --load-extension=embed $tests
