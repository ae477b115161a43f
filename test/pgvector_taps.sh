#!/bin/sh
# pgvector_taps.sh: pgvector's TAP tests, run against hnsw and ivfflat of ours.
#
#   PGVECTOR_SOURCE=/path/to/pgvector sh test/pgvector_taps.sh [NUMBER...]
#
# The one change in them is that CREATE EXTENSION vector brings embed along.
# Without numbers all are run but those below.  Needs an installed embed whose
# extension "vector" is that of this source, and the server's TAP modules.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
pgxs=$(dirname "$("${PG_CONFIG:-pg_config}" --pgxs)")/../test
work=$here/tmp/pgvector-taps

# Left out, because they test what is inside pgvector's indexes:
left_out() {
	case $1 in
		005) echo "that a row finds itself in one list: here .99 of them do" ;;
		006) echo "memory that k-means of ivfflat asks for, by its message" ;;
		007 | 016) echo "ORDER BY without LIMIT by the index: here it is sorted, and whole" ;;
		009 | 017) echo "that the planner prefers hnsw and ivfflat to a sort of 200 rows" ;;
		012 | 020 | 024 | 028) echo "messages about hnsw's graph and maintenance_work_mem, workers of an exact order" ;;
		015 | 023 | 027 | 031) echo "that hnsw.ef_search = 1 loses rows" ;;
		018) echo "the sum of a million halfvecs: 24576 by loss of precision, an overflow here" ;;
		035) echo "workers of an exact order" ;;
		036) echo "that ivfflat.probes loses rows" ;;
		044) echo "a recall of .99 at a filter of 2 %, which ktree promises to .95" ;;
		041 | 043) echo "how many rows an iterative scan loses" ;;
		*) return 1 ;;
	esac
}

rm -rf "$work"
mkdir -p "$work"
cp -R "$PGVECTOR_SOURCE/test/t" "$PGVECTOR_SOURCE/test/perl" "$work"
sed -i 's/CREATE EXTENSION vector/& CASCADE/' "$work"/t/*.pl
TESTDIR=$work PG_REGRESS=$pgxs/regress/pg_regress PATH=$("${PG_CONFIG:-pg_config}" --bindir):$PATH
export TESTDIR PG_REGRESS PATH

passed=0 failed=0
for file in "$work"/t/*.pl; do
	name=$(basename "$file")
	number=${name%%_*}
	if reason=$(left_out "$number"); then
		[ $# -gt 0 ] || echo "left out: $name: $reason"
		continue
	fi
	case " $* " in "  " | *" $number "*) ;; *) continue ;; esac
	if prove -I "$pgxs/perl" -I "$work/perl" "$file" >"$work/$name.log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "--- $name"
		tail -n 30 "$work/$name.log"
	fi
done
echo "pgvector's TAP tests: $passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
