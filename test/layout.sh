#!/bin/sh
# layout.sh: what a reader of the tree may rely on.  Run at the top of it.
#
# Not taste but what a tool can see: pgindent's tabs, lines that fit a screen,
# a header comment on every file and a README in every folder of the source,
# no leftovers, and floors that do not reach upwards.

faults=$(mktemp) || exit 1
trap 'rm -f "$faults"' EXIT

complain() {				# complain WHAT: prefixes each line of stdin
	sed "s|\$|: $1|" >>"$faults"
}

code=$(find src test -name '*.[ch]' | sort)
text=$(find Makefile README.md embed.control sql src test .ci -type f \
	! -path 'test/output/*' ! -path 'test/fuzz/seeds/*' ! -name '*.so' ! -name '*.o' \
	! -name '*.bin' ! -name '*.data' ! -name 'embed--*.sql' | sort)

# In C, indentation is tabs.
grep -n -E '^ {4}' $code /dev/null | cut -d: -f1,2 | complain 'indented with spaces'
# Lines fit; messages are not broken, so that they can be searched for, and
# what was made by a program is as it made it.
for file in $code; do
	! head -n 12 "$file" | grep -q 'do not edit' || continue
	expand -t4 "$file" |
		LC_ALL=C.UTF-8 awk -v file="$file" 'length($0) > 79 && !/"/ { print file ":" NR }'
done | complain "longer than 79 columns"

# Trailing white space, and a last line without an end.
grep -n -E '[ 	]+$' $(echo "$text" | grep -v -E '\.(md|tsv|txt)$|/README$') /dev/null | cut -d: -f1,2 | complain 'trailing white space'
for file in $text; do
	[ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] || echo "$file"
done | complain 'no newline at the end'

# Every C file opens with a comment that names it, or says what made it.
for file in $code; do
	head -n 6 "$file" | grep -q -F -e "$(basename "$file")" -e 'do not edit' || echo "$file"
done | complain 'no header comment with its name'

# The comment of a function says what it does; its name stands below.
for file in $code; do
	awk -v file="$file" '
		named && /^ \*\t/ { print file ":" NR - 1 }
		{ named = opened && /^ \* [A-Za-z0-9_]+$/; opened = /^\/\*$/ }' "$file"
done | complain 'a comment that begins with a name alone'

# Every folder of code says what it is for.
find src -name '*.c' | sed 's|/[^/]*$||' | sort -u | while read -r folder; do
	[ -f "$folder/README" ] || [ "$folder" = src ] || echo "$folder"
done | complain 'no README'

# A number in front of a test names one test.
for number in $(ls test/t | sed -n 's/^\([0-9]*\)_.*\.pl$/\1/p' | sort | uniq -d); do
	echo "test/t/$number"
done | complain 'two tests have this number'

# A file that a comment or a README names is there: by its own name, or by the
# end of its path.  Headers of the server are known if something includes them;
# what belongs to other programs is listed.
names_of_files() {
	others='word2vec.c|access/genam.h|tsearch/ts_type.h'
	{
		echo "$text"
		grep -h -o -E '^#[ 	]*include [<"][^>"]*' $code | sed 's/.*[<"]//'
		echo "$others" | tr '|' '\n'
	} | awk '{ print; while (sub("^[^/]*/", "")) print }' | sort -u >"$faults.there"
	# READMEs whole; in C what is neither an include nor in a string; elsewhere
	# lines of comment
	for file in $(echo "$text" | grep -E '\.([ch]|sh|pl|pm|py|sql|spec)$|/?README(\.md)?$'); do
		case $file in
			*.[ch]) sed -E -e 's/^#.*//' -e 's/"[^"]*"//g' "$file" ;;
			*README*) cat "$file" ;;
			*) sed -E -e '/^[ 	]*(#|--) /!s/.*//' "$file" ;;
		esac | grep -n -o -E '[A-Za-z0-9_*/]+\.(c|h|pl|pm|sql|spec|py|sh|md)\b' | sed "s|^|$file:|"
	done | grep -v -E ':([^:]*\*|_|/|[^:]*[A-Z]{3})[^:]*$' | awk -F: '
		NR == FNR { there[$1] = 1; next }
		!there[$3] { print $1 ":" $2 " (" $3 ")" }' "$faults.there" -
	rm -f "$faults.there"
}
names_of_files | complain 'names a file that is not there'
# what is read with its tables and links drawn says so in its name
find src sql test .ci -name 'README?*' ! -path sql/README.md | complain 'is to be named README'

# A file holds one idea; generated tables excepted.
for file in $code; do
	case $file in *_table.[ch] | *_tables.[ch] | *_data.[ch]) continue ;; esac
	[ "$(wc -l <"$file")" -le 1000 ] || echo "$file"
done | complain 'longer than 1000 lines: two ideas'

# Leftovers, and paths that exist on one machine only.
grep -n -w -E 'TO''DO|FIX''ME|X''XX|HA''CK' $text /dev/null | cut -d: -f1,2 | complain 'a leftover to be done'
grep -n -E '/wo''rk/|/ho''me/[a-z]' $text /dev/null | cut -d: -f1,2 | complain 'a path of one machine'

# What one of the servers from 13 to 18 does not know; server.h bridges it.
grep -n 'pg_attribute_nore''turn' $code /dev/null | cut -d: -f1,2 | complain 'write pg_noreturn in front: 18 knows no other'

# Floors: mathematics and file formats know no server, types no models, models
# no encoders and no indexes.
below() {					# below FOLDER FORBIDDEN-PATTERN
	[ ! -d "src/$1" ] ||
		grep -n -E "^#include \"($2)" -r "src/$1" --include='*.[ch]' | cut -d: -f1,2 |
		complain 'includes a higher floor'
}
rooms='server/ type/ text/ train/ model/ encoder/ index/ column/ search/ picture/ tuning/'
above() {					# above ROOM...: those that are none of these
	printf '%s' "$rooms" | tr ' ' '\n' | grep -v -x -F "$(printf '%s/\n' "$@")" | paste -s -d '|'
}
below math "postgres|$(above)|format/|tokenizer/|network/"
below format "postgres|$(above)|tokenizer/|network/"
below tokenizer "postgres|$(above)|network/"
below network "postgres|$(above)|tokenizer/"
below server "$(above server)"
below type "$(above server type)"
below text "$(above server text)"
below train "$(above server type text train)"
below model "$(above server type text model)"
below encoder 'index/|picture/|tuning/'
below index 'encoder/|train/|picture/|tuning/'
below column 'encoder/|index/|search/|picture/|tuning/'
below search 'encoder/|index/|picture/|tuning/'
below picture 'encoder/|index/|column/|search/|tuning/'
below tuning 'encoder/|index/|search/|picture/'

# The top of the tree holds what a packager expects and nothing else.
ls | grep -v -x -E 'Makefile|embed\.control|sql|src|expected|test|README\.md|LICENSE|embed\.so|libembed\.(a|pc)' |
	complain 'does not belong at the top'

[ ! -s "$faults" ] || { cat "$faults"; echo "$(wc -l <"$faults") faults"; exit 1; }
echo "$(echo "$text" | wc -l) files, no fault"
