#!/bin/sh
# run.sh: set up everything and run all tests.
#
#   sh test/run.sh              all of it, in under forty minutes
#   sh test/run.sh STEP...      some of it: a step (tap/010_readme) or a whole
#                               group of steps (tap)
#   sh test/run.sh --list       the steps
#   sh test/run.sh --long       also the hours-long forms: many kill rounds,
#                               an hour of each fuzz target, servers 17 and 18
#   sh test/run.sh --keep       keep the working directory when all went well
#
# Needs Debian 12, 13 or sid (or Ubuntu), and root or sudo when packages are
# missing.  Everything happens in a copy of the tree under $TMPDIR, against a
# private copy of the server, as an ordinary user: neither the tree nor the
# system's server is touched.  What takes minutes to make and never changes
# is kept for the next run (kept.sh says where).  Every step is one result; the
# last line reads "N passed, N failed".  See test/README.
#
# EMBED_PG_VERSION    server to use (default: newest installed, else packaged)
# EMBED_DATA          real data for the live comparisons (default: the
#                     directory ../shared/data beside the tree; empty: none)
# EMBED_FUZZ_SECONDS  for each fuzz target (default: 60, less when there are
#                     many; with --long, 3600)
# EMBED_SEED          of what tests draw at random (default: always the same, so
#                     that what fails was changed; with --long, a new one)
# EMBED_CACHE         where to keep what takes minutes to make
# EMBED_JOBS          steps at a time (default: number of processors)
set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/machine.sh"
. "$here/kept.sh"

# A test exits with this to be counted as skipped; its last line says why.
SKIP=77

# ---------------------------------------------------------------------------
# The steps.  Each runs in the copied tree as an ordinary user, its output
# going to a log.
# ---------------------------------------------------------------------------

names() {					# names GROUP PATTERN SUFFIX
	for file in $2; do
		[ -e "$file" ] && echo "$1/$(basename "$file" "$3")"
	done
	return 0
}

list_steps() {
	echo layout
	echo build/gcc
	echo build/clang
	echo build/pure
	echo build/sanitizer
	echo build/assert
	echo symbols
	names unit 'test/unit/*_test.c' _test.c
	echo sanitizer/regress
	echo sanitizer/isolation
	echo sanitizer/models/1
	echo sanitizer/models/2
	echo assert/regress
	echo assert/isolation
	names assert/tap "$(assert_taps)" .pl
	echo discard/regress
	echo discard/isolation
	echo regress
	echo isolation
	names tap 'test/t/*.pl' .pl
	names oracle 'test/oracle/*.py' .py
	client_names
	names languages 'test/languages/*.text' .text
	echo demo
	echo pgvector
	names fuzz 'test/fuzz/*_fuzz.c' _fuzz.c
	[ -z "$long" ] || { echo server/17; echo server/18; }
}

# The TAP tests that a server with assertions runs too: those that say so in
# their head; all of them in the long form.
assert_taps() {
	if [ -n "$long" ]; then
		echo 'test/t/*.pl'
	else
		grep -l '^# Also run with assertions' test/t/*.pl
	fi
}

# The clients that are quick to fetch, and those asked for by name; all of them
# in the long form.
client_names() {
	for file in test/clients/*.*; do
		name=$(basename "${file%.*}")
		if [ -n "$long" ] || ! grep -q 'Only in the long form' "$file"; then
			echo "clients/$name"
		else
			echo "$selected" | xargs -n 1 | grep -x "clients/$name"
		fi
	done
	return 0
}

do_layout() { sh test/layout.sh; }

# The library, installed into the private server.
do_build_gcc() {
	build "$work/tree" "$pg_bin" CC=gcc && make -s install PG_CONFIG="$pg_bin/pg_config"
}

# For its warnings alone, which need no optimizer.
do_build_clang() {
	build "$work/tree-clang" "$pg_bin" CC=clang COPT=-O0
}

# The library with sanitizers, installed into a private server of its own.
do_build_sanitizer() {
	copy_server "$work/server-sanitizer" &&
		build "$work/tree-sanitizer" "$pg_bin" CC=gcc SANITIZE=address,undefined &&
		make -s install PG_CONFIG="$pg_bin/pg_config" SANITIZE=address,undefined || return 1
	# Debian 12: with the sanitizer's library preloaded, a library of the server
	# calls bindtextdomain() so early that glibc's lock on message catalogues
	# is left damaged, and the server hangs.  It needs no translations here.
	echo 'char *bindtextdomain(const char *domain, const char *directory);
		  char *bindtextdomain(const char *domain, const char *directory)
		  { return 0; }' |
		gcc -shared -fPIC -x c -o "$work/untranslated.so" -
}

# The library in a server with assertions, a copy of the one that is kept.
do_build_assert() {
	make_assert_server &&
		cp -R "$assert_server" "$work/server-assert" &&
		build "$work/tree-assert" "$work/server-assert/bin" CC=gcc &&
		make -s install PG_CONFIG="$work/server-assert/bin/pg_config"
}

build() {					# build TREE BINDIR MAKE-VARIABLE...
	cd "$1" || return 1
	config=$2/pg_config
	shift 2
	make -s clean PG_CONFIG="$config" >/dev/null &&
		make -s -j2 WERROR=1 PG_CONFIG="$config" "$@"
}

# The pure core, without any header of the server: what compiles alone is in.
# Three libraries: plain, with sanitizers, and for the fuzzer.
do_build_pure() {
	plain="gcc -O2"
	sanitized="gcc -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
	fuzzed="clang -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all"
	flags="-g -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -Isrc"
	mkdir -p "$work/pure"
	for source in $(find src -name '*.c' | sort); do
		if gcc -E -Isrc "$source" >/dev/null 2>"$work/pure/why"; then
			echo "$source"
		else
			case $source in
				src/math/* | src/format/* | src/tokenizer/* | src/network/*)
					cat "$work/pure/why"
					say "$source belongs to the pure core and must compile alone" >&2
					touch "$work/pure/impure" ;;
			esac
		fi
	done >"$work/pure/sources"
	[ ! -e "$work/pure/impure" ] || return 1
	say "pure: $(tr '\n' ' ' <"$work/pure/sources")"
	for variant in plain sanitized fuzzed; do
		eval "compile=\$$variant"
		mkdir -p "$work/pure/$variant"
		echo "$compile $flags" >"$work/pure/$variant/command"
		while read -r source; do
			object=$work/pure/$variant/$(echo "${source%.c}" | tr / .).o
			$compile $flags -c -o "$object" "$source" || return 1
		done <"$work/pure/sources"
		rm -f "$work/pure/$variant/libpure.a"
		ar rcs "$work/pure/$variant/libpure.a" "$work/pure/$variant"/*.o || return 1
	done
}

# Nothing leaves the library but what SQL calls, and what parallel workers
# begin with.
do_symbols() {
	nm -D --defined-only embed.so | awk '{ print $3 }' | sed 's/@.*//' | sort >"$work/symbols"
	sed -n 's/^pg_finfo_//p' "$work/symbols" >"$work/entries"
	grep -v -e '^pg_finfo_' -e '^embed_[a-z]*_worker$' -e '^Pg_magic_func$' -e '^_PG_init$' -e '^_PG_fini$' \
		"$work/symbols" | grep -v -x -F -f "$work/entries" >"$work/strangers"
	say "$(wc -l <"$work/entries") entry points"
	[ ! -s "$work/strangers" ] || { say "exported but not called from SQL:"; cat "$work/strangers"; return 1; }
	! readelf -d embed.so | grep -i -E 'NEEDED.*(blas|gomp|pthread)' ||
		{ say "the library may not be linked with these"; return 1; }
}

# One test program of the pure core, plain and with sanitizers.
do_unit() {
	for variant in plain sanitized; do
		program=$work/pure/unit-$variant-$1
		$(cat "$work/pure/$variant/command") -Itest/unit -o "$program" "test/unit/$1_test.c" \
			"$work/pure/$variant/libpure.a" -lm -ldl -lpthread || return 1
		say "--- $variant"
		with_data "$program" || return 1
	done
}

do_fuzz() {
	program=$work/pure/fuzz-$1
	$(cat "$work/pure/fuzzed/command" | sed 's/fuzzer-no-link/fuzzer/') -Itest/fuzz \
		-o "$program" "test/fuzz/$1_fuzz.c" "$work/pure/fuzzed/libpure.a" -lm -ldl -lpthread || return 1
	found=$work/fuzz/$1
	mkdir -p "$found"
	seeds=test/fuzz/seeds/$1
	[ -d "$seeds" ] || seeds=
	"$program" -max_total_time="$fuzz_seconds" -timeout=30 -rss_limit_mb=2048 \
		-print_final_stats=1 -verbosity=1 -artifact_prefix="$found/" "$found" $seeds
}

# pg_regress and the isolation tests, as `make installcheck` runs them.
do_regress() { installcheck regress "$work/tree"; }
do_isolation() { installcheck isolation "$work/tree"; }

# The same with the sanitizers' library, preloaded because the server itself
# is not built with it.  Leaks are not looked for: memory contexts are freed
# wholesale, and what the server keeps for its lifetime is no leak.
do_sanitizer() {
	preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so) $work/untranslated.so"
	ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1:quarantine_size_mb=64
	UBSAN_OPTIONS=print_stacktrace=1
	export ASAN_OPTIONS UBSAN_OPTIONS
	case $1 in
		models/*)
			# it is made for crashes, after which recovery is to be short
			settings='checkpoint_timeout = 30s'
			start_server "sanitizer-models-${1#models/}" || return 1
			[ -z "${EMBED_SEED:-}" ] || EMBED_SEED=$EMBED_SEED${1#models/}
			EMBED_JOBS=1 EMBED_MODELS=$([ -n "$long" ] && echo 200000 || echo 10000) perl test/models/by_hand.pl ;;
		*) installcheck "$1" "$work/tree-sanitizer" sanitizer ;;
	esac
	result=$?
	[ $result != $SKIP ] || return $SKIP
	complaints 'runtime error:|ERROR: AddressSanitizer' "$server/log" || result=1
	return $result
}

# The same in a server with assertions: a broken rule of the server's own is
# then a crash, with a stack trace in the log.
do_assert() {
	case $1 in
		tap/*) do_tap "${1#tap/}" assert- ;;
		*)
			installcheck "$1" "$work/tree-assert" assert
			result=$?
			complaints '^TRAP:|terminated by signal (6|7|8|11)' "$server/log" || result=1
			return $result ;;
	esac
}

# And there with all caches of the catalogs thrown away at every occasion:
# what was kept across a call that may invalidate it is then always gone.
# The short form leaves out what takes more than a minute so.
do_discard() {
	[ "$pg_version" -ge 14 ] || { say "the server has no debug_discard_caches"; return $SKIP; }
	discard=yes
	# where a test takes a minute, autovacuum would come in between
	settings='autovacuum = off'
	[ -n "$long" ] || left_out=$discard_leaves_out
	installcheck "$1" "$work/tree-assert" discard
	result=$?
	complaints '^TRAP:|terminated by signal (6|7|8|11)' "$server/log" || result=1
	return $result
}

discard_leaves_out='align_models bm25 classifier_labels classifier_train cluster_texts compare_models distill doc2vec_train elmo
	elmo_train elmo_tune elmo_tune_weights glove_train import_gguf import_model import_word_vectors inverted_hybrid
	inverted_lifecycle inverted_merge inverted_property ktree ktree_filter ktree_grown ktree_order ktree_planner
	ktree_split labels lsa_train model_call_site model_changes pgvector_access picture_map picture_projection
	pooling_embed rights_everywhere search_explain search_fusion text_caught_errors text_scripts text_split
	text_tokens tfidf_once_per_scan tfidf_weightings transformer tune_errors tune_examples tune_losses
	tune_networks tune_rows type_aggregate type_cast type_compare type_cost type_distance type_fuzz
	vocabulary_add_documents vocabulary_train word2vec_train'

# Lines of a log that must not be there, with what follows them; addresses in
# our library as functions and lines.
#
# A leader of parallel workers that finds the postmaster dead while it waits for
# them ends a second time while it ends, inside a transaction: an assertion of
# the server's own statistics, which tests that kill the postmaster meet.
complaints() {				# complaints PATTERN LOG...
	pattern=$1
	shift
	found=$(cat "$@" 2>/dev/null |
		grep -a -v -E 'IsTransactionOrTransactionBlock\(\)"\)?, File: "pgstat.c"' |
		grep -a -A 25 -E "$pattern" | head -150)
	[ -n "$found" ] || return 0
	say "in the server's log:"
	printf '%s\n' "$found" | while read -r line; do
		address=$(echo "$line" | sed -n 's/.*\/embed\.so(+\(0x[0-9a-f]*\)).*/\1/p')
		if [ -n "$address" ]; then
			addr2line -p -f -e "$("$pg_bin/pg_config" --pkglibdir)/embed.so" "$address"
		else
			echo "$line"
		fi
	done
	return 1
}

installcheck() {			# installcheck KIND TREE [PREFIX]
	cd "$2" || return 1
	output=test/output/$1
	mkdir -p "$output"
	options="--inputdir=test --outputdir=$output --load-extension=embed"
	case $1 in
		regress) tests=$(names - 'test/sql/*.sql' .sql); these=REGRESS other=ISOLATION ;;
		isolation) tests=$(names - 'test/specs/*.spec' .spec); these=ISOLATION other=REGRESS ;;
	esac
	tests=$(echo "$tests" | sed 's|^-/||')
	for name in ${left_out:-}; do
		tests=$(echo "$tests" | grep -v -x -F "$name")
	done
	tests=$(echo "$tests" | xargs)
	[ -n "$tests" ] || { say "no tests of this kind"; return $SKIP; }
	start_server "${3:-plain}-$1" || return 1
	if [ -n "${discard:-}" ]; then
		psql -X -q -c 'CREATE DATABASE discarding' && psql -X -q -d discarding -c 'CREATE EXTENSION embed' \
			-c 'ALTER DATABASE discarding SET debug_discard_caches = 1' || return 1
		options="--inputdir=test --outputdir=$output --use-existing --dbname=discarding"
	fi
	make -s installcheck PG_CONFIG="$pg_bin/pg_config" "$these=$tests" "$other=" \
		REGRESS_OPTS="$options" ISOLATION_OPTS="$options" && return 0
	tail -n 150 "$output/regression.diffs"
	grep -a -E 'PANIC|TRAP|terminated by signal' "$server/log"
	return 1
}

# A test that starts servers of its own.
do_tap() {					# do_tap NAME [PREFIX]
	place=$work/tap/${2:-}$1
	mkdir -p "$place"
	TESTDIR=$place TESTDATADIR=$place/tmp_check TESTLOGDIR=$place/tmp_check/log
	pgxs_test=$(dirname "$("$pg_bin/pg_config" --pgxs)")/../test
	PG_REGRESS=$pgxs_test/regress/pg_regress
	PATH=$pg_bin:$PATH
	EMBED_ASSERTIONS=${2:+1}
	export TESTDIR TESTDATADIR TESTLOGDIR PG_REGRESS PATH EMBED_ASSERTIONS
	with_data prove -v -I "$pgxs_test/perl" -I test/t "test/t/$1.pl"
	status=$?
	complaints '^TRAP:|terminated by signal (6|7|8|11)' "$TESTLOGDIR"/*.log || status=1
	if [ $status != 0 ]; then
		for log in "$TESTLOGDIR"/*; do
			[ -f "$log" ] && { say "--- $log"; tail -n 25 "$log"; }
		done
		return 1
	fi
	# A test file whose plan is skip_all passes with no test run.  Its reason is
	# in what prove says of the file; its own "1..0" prove keeps to itself.
	reason=$(sed -n -e 's/^1\.\.0 *# *[Ss][Kk][Ii][Pp] *//p' -e 's/^.*skipped: *//p' "$log_of_step" | tail -n 1)
	if grep -q '^Result: NOTESTS' "$log_of_step"; then
		say "${reason:-no test in it}"
		return $SKIP
	fi
}

# A live comparison with a public implementation.
do_oracle() {
	[ -n "$EMBED_DATA" ] ||
		{ say "no real data: set EMBED_DATA or provide ../shared/data"; return $SKIP; }
	python_for "test/oracle/$1.py" || return $SKIP
	start_server "oracle-$1" && psql -X -q -c 'CREATE EXTENSION embed' || return 1
	with_data "$python" "test/oracle/$1.py"
}

# What was written for pgvector, and pgvector itself beside us.  It goes into a
# copy of the server with our library, so that nothing else meets it.
do_pgvector() {
	fetch_pgvector || return $SKIP
	cp -R "$work/server" "$work/server-pgvector" && cp -R "$pgvector_source" "$work/pgvector" || return 1
	pg_bin=$work/server-pgvector/lib/postgresql/$pg_version/bin
	PG_CONFIG=$pg_bin/pg_config PGVECTOR_SOURCE=$work/pgvector
	export PG_CONFIG PGVECTOR_SOURCE
	start_server pgvector && with_data sh test/pgvector_suite.sh || return 1
	# a TAP test of each kind, all of them in the long form
	[ -n "$long" ] && numbers= || numbers="002 010 019 021 034 037"
	sh test/pgvector_taps.sh $numbers || return 1
	make -s -C "$PGVECTOR_SOURCE" OPTFLAGS= with_llvm=no && make -s -C "$PGVECTOR_SOURCE" with_llvm=no install ||
		{ say "pgvector cannot be built here"; return $SKIP; }
	with_data sh test/pgvector_suite.sh || return 1
	# theirs goes, ours comes again: what they dumped is restored
	if make -s install-vector 2>/dev/null; then
		say "make install-vector overwrote pgvector"
		return 1
	fi
	rm "$("$PG_CONFIG" --sharedir)/extension/vector.control" &&
		make -s install-vector && with_data sh test/pgvector_suite.sh
}

# A client of pgvector as its registry has it, with our extension vector.  Tables
# of four rows use their indexes here, and every index that a program leaves
# behind must have served a query of it.
do_clients() {
	program=$(ls test/clients/"$1".*)
	place=$work/clients/$1
	grep -q libdir/embed "$("$pg_bin/pg_config" --sharedir)/extension/vector.control" ||
		{ say "the extension vector of this server is pgvector's own"; return $SKIP; }
	mkdir -p "$place" && cp -R test/clients/lib "$program" "$place" || return 1
	case $program in
		*.py) python_for "$program" && run_program=$python ;;
		*.mjs) npm_for "$program" "$place" ;;
		*.go) go_for "$program" "$place" ;;
		*.rs) cargo_for "$program" "$place" ;;
		*.java) maven_for "$program" "$place" ;;
	esac || return $SKIP
	start_server "client-$1" && psql -X -q -c 'ALTER DATABASE postgres SET enable_seqscan = off' || return 1
	(set -f && cd "$place" && $run_program "${program##*/}") || return 1
	unused=$(psql -X -A -t -c "
		SELECT indexrelname FROM pg_stat_user_indexes JOIN pg_class ON pg_class.oid = indexrelid
		JOIN pg_am ON pg_am.oid = relam WHERE amname IN ('hnsw', 'ivfflat') AND idx_scan = 0")
	[ -z "$unused" ] || { say "no query used these indexes:" $unused; return 1; }
}

# The tutorial of demo.sh on PostgreSQL's manual, with three seeds: what it says
# must not be luck.
do_demo() {
	text_of "postgresql-doc-$pg_version" || return $SKIP
	start_server demo || return 1
	place=$work/demo
	mkdir -p "$place" && cd "$place" || return 1
	perl "$work/tree/test/demo/extract.pl" "$text_files"/usr/share/doc/*/html/*.html >sections.copy || return 1
	for seed in 1 2 3; do
		say "--- seed $seed"
		createdb "manual$seed" && rm -f map.svg &&
			sed "s/seed => 1\\b/seed => $seed/" "$work/tree/test/demo/tutorial.sql" |
			psql -X -a -v ON_ERROR_STOP=1 -P pager=off "manual$seed" 2>&1 >tutorial.log ||
			{ tail -n 30 tutorial.log; return 1; }
		grep -q "seed => $seed" tutorial.log || { say "the tutorial has no seed"; return 1; }
		psql -X -q -t -v ON_ERROR_STOP=1 -f "$work/tree/test/demo/claims.sql" "manual$seed" 2>&1 || return 1
		grep -q '^<svg ' map.svg && grep -q '</svg>' map.svg && [ "$(grep -o '<title>' map.svg | wc -l)" -ge 400 ] ||
			{ say "there is no picture of 400 words"; return 1; }
	done
}

# Text of one of Debian's packages in another language, and questions to it.
# The first line of test/languages/LANGUAGE.text is the configuration, the
# others are packages with patterns of their files.
do_languages() {
	place=$work/languages/$1
	mkdir -p "$place" && cd "$place" || return 1
	{
		read -r config
		while read -r package files; do
			text_of "$package" || exit $SKIP
			find "$text_files" -path "*/$files" | sort | xargs perl "$work/tree/test/languages/passages.pl" >>passages.copy || exit 1
		done
	} <"$work/tree/test/languages/$1.text" || return $?
	start_server "languages-$1" || return 1
	psql -X -q -v ON_ERROR_STOP=1 -v language="$1" -v config="$config" -f "$work/tree/test/languages/search.sql"
}

with_data() { OPENBLAS_NUM_THREADS=1 "$@"; }

# start_server NAME: a fresh cluster of the private server with a socket of
# its own; the environment then leads psql to it.  Stopped when the step ends.
start_server() {
	server=$work/server-of-$1
	mkdir -p "$server/socket"
	"$pg_bin/initdb" -N -A trust -U postgres --locale=C.UTF-8 -E UTF8 -D "$server/data" >"$server/initdb.log" ||
		{ cat "$server/initdb.log"; return 1; }
	cat >>"$server/data/postgresql.conf" <<-X
		listen_addresses = ''
		unix_socket_directories = '$server/socket'
		fsync = off
		shared_buffers = 256MB
		max_wal_size = 4GB
		wal_level = logical
		max_worker_processes = 16
		max_prepared_transactions = 10
		${settings:-}
	X
	trap 'stop_server' EXIT
	LD_PRELOAD="${preload:-}" "$pg_bin/pg_ctl" -s -w -t 120 -D "$server/data" -l "$server/log" start ||
		{ cat "$server/log"; return 1; }
	PGHOST=$server/socket PGPORT=5432 PGUSER=postgres PGDATABASE=postgres PATH=$pg_bin:$PATH
	export PGHOST PGPORT PGUSER PGDATABASE PATH
}

stop_server() {
	[ ! -f "$server/data/postmaster.pid" ] ||
		"$pg_bin/pg_ctl" -s -w -m immediate -D "$server/data" stop
	rm -rf "$server/data"
}

# ---------------------------------------------------------------------------
# Servers of other versions: the whole of this script once more, in a fresh
# system of the Debian release that packages them.  Runs as root.
# ---------------------------------------------------------------------------

do_server() {
	case $1 in 17) suite=trixie ;; 18) suite=sid ;; esac
	[ "$(id -u)" = 0 ] || { say "needs root, for a chroot of $suite"; return $SKIP; }
	root=$work/$suite
	mirror=$(archive)
	[ -n "$mirror" ] || { say "apt knows of no archive to take $suite from"; return $SKIP; }
	debootstrap --variant=minbase "$suite" "$root" "$mirror" || return 1
	mkdir "$root/embed" && tar -C "$work/tree" -cf - . | tar -C "$root/embed" -xf - || return 1
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	# The lists of a release under way are valid for a week; a mirror may lag.
	echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/embed-test"
	# A mount namespace of its own: what is mounted goes with it.
	EMBED_PG_VERSION=$1 EMBED_FUZZ_SECONDS=10 unshare --mount --pid --fork sh -c '
		mount -t proc proc "$1/proc" &&
		mkdir -p "$1/dev/shm" && mount -t tmpfs tmpfs "$1/dev/shm" &&
		exec chroot "$1" sh /embed/test/run.sh' sh "$root"
	result=$?
	[ $result != 0 ] || rm -rf --one-file-system "$root"
	return $result
}

# ---------------------------------------------------------------------------
# One step, with its time and its result.
# ---------------------------------------------------------------------------

run_step() {
	step=$1
	log_of_step=$work/log/$(echo "$step" | tr / .).log
	began=$(date +%s)
	build=$(stands_on "$step")
	if [ -n "$build" ] && [ -e "$work/result/build.$build.skipped" ]; then
		echo "not run, because build/$build was skipped" >"$log_of_step"
		status=$SKIP
	elif [ -n "$build" ] && [ ! -e "$work/result/build.$build.passed" ]; then
		echo "not run, because build/$build failed" >"$log_of_step"
		status=1
	else
		timeout -k 10 "$step_limit" sh "$here/run.sh" --do "$work" "$step" \
			>"$log_of_step" 2>&1 </dev/null
		status=$?
	fi
	seconds=$(($(date +%s) - began))
	[ $status != 124 ] || echo "gave up after $step_limit seconds" >>"$log_of_step"
	case $status in
		0)
			word=passed
			printf 'ok       %4d s  %s\n' $seconds "$step" ;;
		$SKIP)
			word=skipped
			printf 'skipped  %4d s  %s: %s\n' $seconds "$step" "$(tail -n 1 "$log_of_step")" ;;
		*)
			word=failed
			{
				printf 'FAILED   %4d s  %s, the end of %s:\n' $seconds "$step" "$log_of_step"
				tail -n 40 "$log_of_step" | sed 's/^/    | /'
			} >"$log_of_step.shown"
			cat "$log_of_step.shown" ;;
	esac
	: >"$work/result/$(echo "$step" | tr / .).$word"
}

stands_on() {				# the build that a step needs, if any
	case $1 in
		symbols | regress | isolation | tap/* | oracle/* | clients/* | languages/* | demo | pgvector) echo gcc ;;
		assert/* | discard/*) echo assert ;;
		unit/* | fuzz/*) echo pure ;;
		sanitizer/*) echo sanitizer ;;
	esac
}

do_step() {
	step=$1
	log_of_step=$work/log/$(echo "$step" | tr / .).log
	case $(stands_on "$step") in
		assert) pg_bin=$work/server-assert/bin ;;
		sanitizer) pg_bin=$work/server-sanitizer/lib/postgresql/$pg_version/bin ;;
		*) pg_bin=$work/server/lib/postgresql/$pg_version/bin ;;
	esac
	cd "$work/tree" || exit 1
	trap 'exit 143' TERM INT
	case $step in
		build/*) do_build_${step#build/} ;;
		*/*) do_${step%%/*} "${step#*/}" ;;
		*) do_$step ;;
	esac
	exit $?
}

# ---------------------------------------------------------------------------
# All of it.
# ---------------------------------------------------------------------------

wanted() {
	[ -n "$selected" ] || return 0
	for choice in $selected; do
		case $1 in
			"$choice" | "$choice"/*) return 0 ;;
		esac
	done
	return 1
}

# Those of the steps that are asked for, and the builds that they stand on.
choose_steps() {
	list_steps >"$work/all"
	while read -r step; do
		wanted "$step" && echo "$step"
	done <"$work/all" >"$work/asked"
	while read -r step; do
		echo "build/$(stands_on "$step")"
	done <"$work/asked" | cat - "$work/asked" >"$work/needed"
	while read -r step; do
		grep -q -x -F "$step" "$work/needed" && echo "$step"
	done <"$work/all" >"$work/steps"
}

find_packages() {
	choose_server
	install_packages make gcc libc6-dev binutils perl clang libclang-rt-dev \
		postgresql-common "postgresql-$pg_version" "postgresql-server-dev-$pg_version" \
		libipc-run-perl dpkg-dev bison flex
	install_packages python3 python3-venv
	if [ -n "$EMBED_DATA" ]; then
		# Packages that only some releases have come from the registry where
		# they are missing.
		available=
		for package in $(for file in test/oracle/*.py; do declared debian "$file"; done | xargs -n 1 | sort -u); do
			if installed "python3-$package" || packaged "python3-$package"; then
				available="$available python3-$package"
			fi
		done
		install_packages $available
	fi
	[ -z "$long" ] || install_packages debootstrap
	# Without its lists apt knows neither where its packages come from, nor
	# sources.
	[ -n "$(archive)" ] || (update_lists) || :
}

main() {
	long= keep= selected= list=
	while [ $# -gt 0 ]; do
		case $1 in
			--long) long=yes ;;
			--keep) keep=yes ;;
			--list) list=yes ;;
			-*) die "unknown option $1 (see the head of test/run.sh)" ;;
			*) selected="$selected $1" ;;
		esac
		shift
	done
	top=$(dirname "$here")
	cd "$top" || exit 1
	[ -z "$list" ] || { list_steps; exit 0; }

	EMBED_DATA=${EMBED_DATA-$top/../shared/data}
	[ -d "$EMBED_DATA" ] && EMBED_DATA=$(cd "$EMBED_DATA" && pwd) || EMBED_DATA=
	began=$(date +%s)
	find_packages
	find_kept
	printf 'ok       %4d s  packages\n' $(($(date +%s) - began))

	work=$(mktemp -d "${TMPDIR:-/tmp}/embed-test.XXXXXX") || exit 1
	chmod 755 "$work"
	trap 'stop_stray_servers; say "stopped; logs: $work/log"; exit 130' INT TERM
	[ "$(id -u)" != 0 ] || chown "${EMBED_USER:-postgres}" "$work"
	EMBED_HOME=$work
	export EMBED_HOME
	for copy in tree tree-clang tree-sanitizer tree-assert; do
		copy_tree "$top" "$work/$copy"
	done
	copy_server "$work/server"
	as_runner mkdir -p "$work/log" "$work/result"
	choose_steps
	! grep -q '^clients/rust' "$work/steps" || share_rust
	[ -s "$work/steps" ] || die "no such step:$selected (--list shows them)"

	# All targets together are to take no more than five minutes of one
	# processor.
	targets=$(grep -c '^fuzz/' "$work/all")
	fuzz_seconds=${EMBED_FUZZ_SECONDS:-$((targets * 60 > 300 ? 300 / targets : 60))}
	step_limit=900
	if [ -n "$long" ]; then
		fuzz_seconds=${EMBED_FUZZ_SECONDS:-3600}
		step_limit=14400
	else
		: "${EMBED_SEED=1000}"
	fi
	as_runner tee "$work/settings" >/dev/null <<-X
		EMBED_DATA='$EMBED_DATA' EMBED_LONG='${long:+1}' TMPDIR='${TMPDIR:-/tmp}'
		long='$long' pg_version='$pg_version' kept='$kept' shared_rust='${shared_rust:-}'
		fuzz_seconds='$fuzz_seconds' step_limit='$step_limit'
		export EMBED_DATA EMBED_LONG TMPDIR
		${EMBED_SEED:+EMBED_SEED=$EMBED_SEED; export EMBED_SEED}
	X

	# Builds first, then everything else, as many at a time as there are
	# processors; servers of other versions last, and as the caller.
	jobs=${EMBED_JOBS:-$(nproc)}
	for phase in '^layout$\|^build/' '^symbols$\|^unit/\|^sanitizer/\|^regress$\|^isolation$\|^assert/\|^discard/\|^tap/\|^oracle/\|^clients/\|^languages/\|^demo$\|^pgvector$\|^fuzz/'; do
		grep "$phase" "$work/steps" |
			as_runner xargs -r -n 1 -P "$jobs" sh "$work/tree/test/run.sh" --step "$work"
	done
	for step in $(grep '^server/' "$work/steps"); do
		sh "$here/run.sh" --step "$work" "$step" </dev/null
	done
	finish
}

# Servers that a test left behind when it was stopped in the middle.
stop_stray_servers() {
	find "$work" -name postmaster.pid 2>/dev/null | while read -r file; do
		kill -QUIT "$(head -n 1 "$file")" 2>/dev/null
	done
}

finish() {
	stop_stray_servers
	passed=$(find "$work/result" -name '*.passed' | wc -l)
	failed=$(($(wc -l <"$work/steps") - passed))
	skipped=$(find "$work/result" -name '*.skipped' | wc -l)
	failed=$((failed - skipped))
	say "$(($(date +%s) - began)) seconds in all, PostgreSQL $pg_version"
	if [ $failed = 0 ] && [ -z "$keep" ]; then
		rm -rf "$work"
	else
		say "logs: $work/log"
	fi
	if [ $skipped = 0 ]; then
		say "$passed passed, $failed failed"
	else
		say "$passed passed, $failed failed, $skipped skipped"
	fi
	[ $failed = 0 ]
}

case ${1:-} in
	--step | --do)
		mode=$1 work=$2 step=$3
		. "$work/settings"
		[ "$mode" = --do ] && do_step "$step"
		run_step "$step" ;;
	*) main "$@" ;;
esac
