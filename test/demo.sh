#!/bin/sh
# demo.sh: from a bare machine to questions answered, in a few minutes.
#
#   sh test/demo.sh             set up everything and run the tutorial
#   sh test/demo.sh --remove    stop the demo's server and delete its directory
#
# Installs what is missing (Debian 12 or 13, or Ubuntu; root or sudo), builds
# the extension, installs it into a private copy of the server, starts that in
# a directory of its own, loads PostgreSQL's manual, trains a vocabulary on it
# and asks it questions.  Each SQL statement is printed beside its answer.
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

# quietly COMMAND...: its output is shown only when it fails.
quietly() {
	"$@" >>"$log" 2>&1 </dev/null || { tail -n 40 "$log"; die "failed: $* (all of it in $log)"; }
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
	quietly as_runner make -C "$demo/tree" -s clean "$config"
	quietly as_runner make -C "$demo/tree" -s -j"$(nproc)" "$config"
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

# The manual comes as a package.  Slim systems leave documentation out when
# they install one, so it is unpacked and not installed.
load_manual() {
	doc=postgresql-doc-$pg_version
	packaged "$doc" || update_lists "$doc"
	as_runner rm -rf "$demo/manual"
	as_runner mkdir "$demo/manual"
	(
		cd "$demo/manual" || exit 1
		fetch="apt-get -q download $doc"
		as_runner $fetch || { update_lists "$doc" && as_runner $fetch; }
	) >>"$log" 2>&1 </dev/null || { tail "$log"; die "could not download $doc"; }
	quietly as_runner dpkg -x "$(echo "$demo/manual"/*.deb)" "$demo/manual"
	as_runner sh -c 'perl "$1/tree/test/demo/extract.pl" "$1/manual/usr/share/doc/$2/html/"*.html >"$1/manual/sections.copy"' \
		sh "$demo" "$doc" || die "could not read the manual's pages"
}

# psql shows comments, statements and answers; a blank line sets off each step.
tutorial() {
	cd "$demo/manual" || exit 1
	as_runner rm -f "$demo/failed"
	{
		as_runner "$pg_bin/psql" -X -a -v ON_ERROR_STOP=1 -P pager=off \
			-h "$demo/socket" -U postgres manual <"$demo/tree/test/demo/tutorial.sql" 2>&1 ||
			as_runner touch "$demo/failed"
	} | awk '/^-- / && !comment { print "" } { comment = /^-- /; print }'
	[ ! -e "$demo/failed" ] || die "the tutorial failed; the server's log is $demo/data/log"
}

case ${1:-} in
	--remove) remove; exit ;;
	'') ;;
	*) die "unknown option $1 (see the head of test/demo.sh)" ;;
esac

began=$(date +%s)
heading "installing what is missing"
choose_server
install_packages make gcc libc6-dev postgresql-common \
	"postgresql-$pg_version" "postgresql-server-dev-$pg_version"
began=$(date +%s)

EMBED_HOME=$demo
export EMBED_HOME
make_directory
stop_server
heading "building the extension, with PostgreSQL $pg_version"
build
heading "starting a server in $demo"
start_server
heading "fetching PostgreSQL's manual"
load_manual
heading "the tutorial"
tutorial
heading "done"
cat <<-X

	The server is running.  Ask it questions of your own:

	    $pg_bin/psql -h $demo/socket -U postgres manual

	When you are done, stop it and delete everything:

	    sh test/demo.sh --remove
X
