# machine.sh: what demo.sh and run.sh both need of the machine they run on.
#
# Sourced, not run.  Packages are installed with apt, as root or through sudo,
# and only those that are missing.  The system's own server is never changed:
# a copy of it, in a directory of the caller's, takes the extension, and runs
# as an ordinary user because PostgreSQL refuses to run as root.
#
# EMBED_PG_VERSION   the server to use, 13 to 18; default: the newest at hand
# EMBED_USER         who runs servers when the caller is root; default: postgres

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

as_root() {
	if [ "$(id -u)" = 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo DEBIAN_FRONTEND=noninteractive "$@"
	else
		die "packages are missing and neither root nor sudo is at hand: $*"
	fi
}

# Run a command as the user who may run servers.
as_runner() {
	if [ "$(id -u)" = 0 ]; then
		runuser -u "${EMBED_USER:-postgres}" -- env HOME="${EMBED_HOME:-/tmp}" "$@"
	else
		"$@"
	fi
}

installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

packaged() {
	apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]'
}

# apt's many lines are worth reading only when it fails.
apt() {
	apt_output=$(as_root apt-get -q -o Dpkg::Use-Pty=0 "$@" </dev/null 2>&1) ||
		{ printf '%s\n' "$apt_output" | tail -n 30; return 1; }
}

# Package lists are fetched once, and only when something is missing.
update_lists() {
	[ -z "${lists_updated:-}" ] || return 0
	command -v apt-get >/dev/null 2>&1 ||
		die "this machine has no apt-get: install these by hand: $*"
	apt update || die "apt-get update failed"
	lists_updated=yes
}

# install_packages NAME...: those that are missing, without recommendations.
# The server's package would create and start a cluster of its own: a file in
# createcluster.d, there for the time of the installation only, stops that.
install_packages() {
	missing=
	for package in "$@"; do
		installed "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	update_lists $missing
	say "installing:$missing"
	no_cluster=/etc/postgresql-common/createcluster.d/embed-test.conf
	as_root mkdir -p "${no_cluster%/*}"
	echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
	apt -y --no-install-recommends install $missing
	status=$?
	as_root rm -f "$no_cluster"
	[ $status = 0 ] || die "could not install:$missing"
}

# Sets pg_version: the newest server installed with its headers, else the
# newest one packaged.
choose_server() {
	pg_version=${EMBED_PG_VERSION:-}
	[ -z "$pg_version" ] || return 0
	for version in 18 17 16 15 14 13; do
		if [ -x /usr/lib/postgresql/$version/bin/postgres ] &&
			[ -f /usr/lib/postgresql/$version/lib/pgxs/src/makefiles/pgxs.mk ]; then
			pg_version=$version
			return 0
		fi
	done
	update_lists postgresql postgresql-server-dev-all
	for version in 18 17 16 15 14 13; do
		if packaged postgresql-$version && packaged postgresql-server-dev-$version; then
			pg_version=$version
			return 0
		fi
	done
	die "no package of PostgreSQL 13 to 18 found"
}

# copy_server DIRECTORY: a private copy of the server, programs, headers and
# all.  Its pg_config finds everything relative to itself.  Sets pg_bin.
copy_server() {
	pg_bin=$1/lib/postgresql/$pg_version/bin
	as_runner mkdir -p "$1/lib/postgresql" "$1/share/postgresql" "$1/include"
	as_runner cp -R "/usr/lib/postgresql/$pg_version" "$1/lib/postgresql/" &&
		as_runner cp -R "/usr/share/postgresql/$pg_version" "$1/share/postgresql/" &&
		as_runner cp -R /usr/include/postgresql "$1/include/" ||
		die "could not copy the server to $1"
}

# copy_tree FROM TO: the working tree as it is, changes included, without what
# a build or git left in it; owned by whoever runs the server.
copy_tree() {
	as_runner mkdir -p "$2"
	tar -C "$1" --exclude=./.git --exclude='*.o' --exclude='*.bc' --exclude='*.so' \
		--exclude='*.a' --exclude=./test/output --exclude=./tmp_check -cf - . |
		as_runner tar -C "$2" --no-same-owner -xf - || die "could not copy $1 to $2"
}
