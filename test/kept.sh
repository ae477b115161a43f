# kept.sh: what the tests make once and keep for the next run.
#
# Sourced by run.sh, after machine.sh.  Four kinds of things take minutes to
# make and never change with our code: a server built with assertions, sources
# of other packages, texts of Debian's packages, and packages of the registries
# of Python, npm, Go, Rust and Maven.
# They lie in one directory outside the tree, which may be removed at any time:
#
#   $EMBED_CACHE, or else /var/cache/embed-test when the caller is root, or
#   else ~/.cache/embed-test
#
# It belongs to the user who runs the servers.  Nothing of the system's own
# state is changed: apt works on lists in that directory.  Each thing appears
# there under its final name only when it is complete.

# Sets kept: the directory, made if need be.  As the caller of run.sh.
find_kept() {
	if [ -n "${EMBED_CACHE:-}" ]; then
		kept=$EMBED_CACHE
	elif [ "$(id -u)" = 0 ]; then
		kept=/var/cache/embed-test
	else
		kept=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/embed-test
	fi
	mkdir -p "$kept" || die "cannot make $kept (EMBED_CACHE names another place)"
	[ "$(id -u)" != 0 ] || chown "${EMBED_USER:-postgres}" "$kept"
	as_runner test -w "$kept" || die "$kept is not writable for the user who runs servers"
}

# ---------------------------------------------------------------------------
# Source packages of the distribution.
# ---------------------------------------------------------------------------

# Where a binary package comes from, as apt reads the system's own sources,
# whatever form they are written in: lines "URI SUITE COMPONENT", best first.
origins_of() {				# origins_of PACKAGE
	apt-cache policy "$1" | awk '
		$5 == "Packages" && $2 ~ /^[a-z+]+:/ {
			slash = index($3, "/")
			print $2, substr($3, 1, slash - 1), substr($3, slash + 1)
		}' | awk '!seen[$0]++'
}

# The archive that this system was installed from: not that of security
# updates, which does not hold everything.  Nothing where it is not known.
archive() {
	origins_of base-files | awk '$2 !~ /-/ { print $1; exit }'
}

# The keys that the system checks that archive with, as an option of a line of
# sources, from whichever form its own sources have; Debian's keyring where they
# name none; nothing, and so what apt trusts for everything, elsewhere.
key_of() {					# key_of URI
	keys=$(awk -v uri="${1%/}" 'BEGIN { RS = "" }
		index($0, uri) && match($0, /Signed-By:[ \t]*\/[^ \t\n]+/) {
			keys = substr($0, RSTART, RLENGTH)
			sub(/^[^\/]*/, "", keys)
			print keys
			exit
		}' /etc/apt/sources.list.d/*.sources 2>/dev/null)
	[ -n "$keys" ] ||
		keys=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
			sed -n "s|^deb .*signed-by=\([^] ]*\).* ${1%/}/* .*|\1|p" | head -n 1)
	for ring in /usr/share/keyrings/debian-archive-keyring.pgp /usr/share/keyrings/debian-archive-keyring.gpg; do
		case $1 in
			*debian*) [ -n "$keys" ] || [ ! -f "$ring" ] || keys=$ring ;;
		esac
	done
	[ -z "$keys" ] || echo "[signed-by=$keys]"
}

# fetch_source PACKAGE DIRECTORY: the source package, as its authors released
# it, unpacked to the directory; from the first of the lines "URI SUITE
# COMPONENT" of stdin that has it.  (A mirror may have the packages of an
# archive without its sources.)  apt checks signatures as always.
fetch_source() { fetch_from deb-src "$1" "$2"; }

# fetch_files PACKAGE DIRECTORY: the files of a binary package, unpacked, not
# installed; from this system's own archive, else from the lines of stdin.
fetch_files() {
	scratch=$(mktemp -d "$kept/apt.XXXXXX") || return 1
	if (cd "$scratch" && apt-get -q download "$1" && dpkg -x ./*.deb unpacked) >"$scratch/log" 2>&1; then
		rm -rf "$2"
		mv "$scratch/unpacked" "$2"
		rm -rf "$scratch"
		return 0
	fi
	rm -rf "$scratch"
	fetch_from deb "$1" "$2"
}

fetch_from() {				# fetch_from deb|deb-src PACKAGE DIRECTORY, lines of stdin
	scratch=$(mktemp -d "$kept/apt.XXXXXX") || return 1
	while read -r uri suite component && [ ! -d "$scratch/unpacked" ]; do
		rm -rf "$scratch/lists" "$scratch/cache"
		mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial"
		echo "$1 $(key_of "$uri") $uri $suite $component" | tee "$scratch/sources.list"
		fetch="apt-get -q -o Dir::Etc::SourceList=$scratch/sources.list -o Dir::Etc::SourceParts=/dev/null
			-o Dir::State::Lists=$scratch/lists -o Dir::Cache=$scratch/cache -o Acquire::Languages=none
			-o Acquire::Check-Valid-Until=false -o Acquire::Retries=3"
		(
			cd "$scratch" && $fetch update || exit
			case $1 in
				deb) $fetch download "$2" && dpkg -x ./*.deb unpacked ;;
				deb-src) $fetch source --download-only "$2" &&
					dpkg-source --skip-patches --no-check -x ./*.dsc unpacked ;;
			esac
		) 2>&1 || true
	done >"$scratch/log"
	if [ ! -d "$scratch/unpacked" ]; then
		tail -n 20 "$scratch/log"
		say "could not fetch $([ "$1" = deb ] || echo the source of) $2"
		rm -rf "$scratch"
		return 1
	fi
	rm -rf "$3"
	mv "$scratch/unpacked" "$3"
	rm -rf "$scratch"
}

# text_of PACKAGE: sets text_files to a directory with the files of a package
# of text.  Where this release has none, testing's and unstable's may.
text_of() {
	text_files=$kept/text-$1
	[ ! -d "$text_files" ] || return 0
	for suite in trixie sid; do
		echo "$(archive) $suite main"
	done | fetch_files "$1" "$text_files"
}

# ---------------------------------------------------------------------------
# A server with assertions, from the distribution's source package.
# ---------------------------------------------------------------------------

# Sets assert_server: its directory in the cache.  Named after the version of
# the package, and after what it was built with.
name_assert_server() {
	assert_server=$kept/server-assert-$(dpkg-query -W -f '${source:Version}' "postgresql-$pg_version" | tr -c 'A-Za-z0-9.\n' -)-$(gcc -dumpversion)
}

# 77, to skip what needs it, where the archive has no source of this version.
# Takes three minutes of two processors the first time.  -O1: the build and the
# tests together are then fastest, and a stack trace can still be read.
make_assert_server() {
	name_assert_server
	[ ! -x "$assert_server/bin/postgres" ] || return 0
	source=$assert_server.source
	origins_of "postgresql-$pg_version" | fetch_source "postgresql-$pg_version" "$source" || return 77
	# The server finds its parts relative to its programs, so it may be
	# installed elsewhere first.
	making=$assert_server.making
	rm -rf "$making"
	(
		cd "$source" || exit 1
		icu=
		[ "$pg_version" -lt 16 ] || icu=--without-icu
		./configure -q --prefix="$assert_server" --enable-cassert --enable-debug --enable-tap-tests \
			--without-readline --without-zlib $icu CFLAGS='-O1 -fno-omit-frame-pointer' >configure.log 2>&1 ||
			{ tail -n 30 configure.log; exit 1; }
		for part in src config contrib/unaccent; do
			make -s -j2 MAKELEVEL=0 -C "$part" all &&
				make -s MAKELEVEL=0 -C "$part" DESTDIR="$making" install || exit 1
		done
	) || return 1
	mv "$making$assert_server" "$assert_server" && rm -rf "$source" "$making"
}

# ---------------------------------------------------------------------------
# The source of pgvector, for its tests.
# ---------------------------------------------------------------------------

# Sets pgvector_source.  The releases of Debian before trixie have none, or one
# without halfvec and sparsevec; trixie's does not know servers from 18 on.
fetch_pgvector() {
	pgvector_source=$kept/pgvector-source-$pg_version
	[ ! -f "$pgvector_source/test/sql/vector_type.sql" ] || return 0
	suites='trixie sid'
	[ "$pg_version" -lt 18 ] || suites='sid trixie'
	for suite in $suites; do
		echo "$(archive) $suite main"
	done | fetch_source pgvector "$pgvector_source"
}

# ---------------------------------------------------------------------------
# Python packages.
# ---------------------------------------------------------------------------

# What a program declares in a line "# needs: a, b" or "# debian: a b" of its
# head ("// needs:" in other languages).
declared() {				# declared WORD FILE
	sed -n -e 20q -e "s,^[#/]* $1: *,,p" "$2" | tr ',' ' '
}

# The registry's name of a package that Debian names after its module.
registry_name() {
	case $1 in
		sklearn) echo scikit-learn ;;
		psycopg2) echo psycopg2-binary ;;
		*) echo "$1" ;;
	esac
}

# python_for FILE: sets python to an interpreter that has all that the program
# declares.  "# debian:" names what the distribution's packages python3-* give
# where there are such; the rest, and "# needs:", comes from the registry into
# an environment of its own, shared by all programs that need the same.
python_for() {
	python=python3
	needs=$(
		{
			declared needs "$1" | xargs -n 1
			for package in $(declared debian "$1"); do
				installed "python3-$package" || registry_name "$package"
			done
		} | sort -u | xargs
	)
	[ -n "$needs" ] || return 0
	environment=$kept/python-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')-$(echo "$needs" | tr -c 'A-Za-z0-9.\n' _)
	# Two steps may ask for one at the same time.
	exec 9>"$environment.lock"
	flock 9
	if [ ! -x "$environment/bin/python3" ] && ! make_environment; then
		say "no Python package of: $needs"
		return 1
	fi
	exec 9>&-
	python=$environment/bin/python3
}

# The distribution's compiled packages stay usable only with the numpy that
# they were compiled for, so no other may come in.
make_environment() {
	[ ! -e "$work/${environment##*/}.failed" ] ||
		{ cat "$work/${environment##*/}.failed"; return 1; }
	rm -rf "$environment.making"
	{
		python3 -m venv --system-site-packages "$environment.making" &&
			{ python3 -c 'import numpy; print("numpy==" + numpy.__version__)' >"$environment.numpy" 2>/dev/null || :; } &&
			"$environment.making/bin/python3" -m pip install -q --prefer-binary --constraint "$environment.numpy" $needs
	} >"$environment.log" 2>&1 || {
		tail -n 10 "$environment.log" | tee "$work/${environment##*/}.failed"
		rm -rf "$environment.making"
		return 1
	}
	# Only what was installed by scripts knows the directory's name, and that
	# is not used: the interpreter finds its packages from where it is.
	mv "$environment.making" "$environment"
}

# ---------------------------------------------------------------------------
# Packages of npm, of Go modules, of crates of Rust and of Maven.  Each of
# these takes a program and the directory it will run in, and sets run_program.
# ---------------------------------------------------------------------------

# Run a command that makes a directory; one caller at a time, and only once.
make_once() {				# make_once DIRECTORY COMMAND...
	made=$1
	shift
	exec 9>"$made.lock"
	flock 9
	if [ ! -d "$made" ]; then
		rm -rf "$made.making"
		mkdir "$made.making"
		if ! (cd "$made.making" && "$@") >"$made.log" 2>&1; then
			tail -n 10 "$made.log"
			rm -rf "$made.making"
			exec 9>&-
			return 1
		fi
		mv "$made.making" "$made"
	fi
	exec 9>&-
}

# Sets needs and packages_of; says what is missing.
language_has() {			# language_has COMMAND FILE
	needs=$(declared needs "$2" | xargs -n 1 | sort -u | xargs)
	command -v "$1" >/dev/null 2>&1 || { say "no $1 on this machine for: $needs"; return 1; }
	packages_of=$kept/$1-$(echo "$needs" | tr -c 'A-Za-z0-9.\n' _)
}

# Nothing of a package runs while it is installed.
npm_for() {					# npm_for FILE PLACE
	language_has npm "$1" || return 1
	make_once "$packages_of" npm install --silent --ignore-scripts --no-audit --no-fund \
		--cache "$work/npm-cache" --prefix . $needs || { say "no npm package of: $needs"; return 1; }
	ln -s "$packages_of/node_modules" "$2/node_modules"
	run_program=node
}

# A module with the packages; their sources and what is compiled lie in two
# directories that all such programs share.
go_for() {					# go_for FILE PLACE
	language_has go "$1" || return 1
	GOMODCACHE=$kept/go-modules GOCACHE=$kept/go-build GOFLAGS=-modcacherw
	export GOMODCACHE GOCACHE GOFLAGS
	make_once "$packages_of" sh -c 'go mod init clients && go get "$@"' sh $needs ||
		{ say "no Go module of: $needs"; return 1; }
	cp "$packages_of/go.mod" "$packages_of/go.sum" "$2"
	run_program="go run"
}

# A program of one file with the jars that it declares as GROUP:NAME:VERSION.
maven_for() {				# maven_for FILE PLACE
	language_has mvn "$1" || return 1
	make_once "$packages_of" fetch_jars $needs || { say "no Maven package of: $needs"; return 1; }
	run_program="java -cp $packages_of/jars/*"
}

fetch_jars() {
	{
		echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
		echo '<groupId>clients</groupId><artifactId>clients</artifactId><version>1</version><dependencies>'
		for package in "$@"; do
			echo "$package" | sed 's|\(.*\):\(.*\):\(.*\)|<dependency><groupId>\1</groupId><artifactId>\2</artifactId><version>\3</version></dependency>|'
		done
		echo '</dependencies></project>'
	} >pom.xml
	mvn -q -B -Dmaven.repo.local="$kept/maven" dependency:copy-dependencies -DoutputDirectory=jars
}

# rustup installs a toolchain for one user.  Where that is root and the steps run
# as another, they get a copy of it.  As the caller of run.sh.
share_rust() {
	shared_rust=
	! as_runner sh -c 'cargo --version' >/dev/null 2>&1 || return 0
	toolchain=$(rustc --print sysroot 2>/dev/null) && [ -x "$toolchain/bin/cargo" ] || return 0
	shared_rust=$kept/rust-$(rustc --version | tr -c 'A-Za-z0-9.\n' -)
	[ ! -x "$shared_rust/bin/cargo" ] || return 0
	rm -rf "$shared_rust.making"
	mkdir "$shared_rust.making" && cp -R --reflink=auto "$toolchain/bin" "$toolchain/lib" "$shared_rust.making" &&
		chmod -R a+rX "$shared_rust.making" && mv "$shared_rust.making" "$shared_rust"
}

# A crate with the dependencies that the program declares in its head, one a
# line after "// crate:".
cargo_for() {				# cargo_for FILE PLACE
	PATH=${shared_rust:+$shared_rust/bin:}$PATH
	export PATH
	language_has cargo "$1" || return 1
	CARGO_HOME=$kept/cargo CARGO_TARGET_DIR=$kept/cargo-built
	export CARGO_HOME CARGO_TARGET_DIR
	program=${1##*/}
	{
		printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2021"\n' "${program%.rs}"
		printf '[[bin]]\nname = "%s"\npath = "%s"\n[dependencies]\n' "${program%.rs}" "$program"
		sed -n 's,^// crate: *,,p' "$1"
	} >"$2/Cargo.toml"
	(cd "$2" && cargo fetch) || { say "no crate of: $needs"; return 1; }
	run_program="cargo run -q --bin ${program%.rs} --"
}
