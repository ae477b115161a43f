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
# Lines fit; messages are not broken, so that they can be searched for.
for file in $code; do
	expand -t4 "$file" | awk -v file="$file" 'length($0) > 110 && !/"/ { print file ":" NR }'
done | complain 'longer than 110 columns'

# Trailing white space, and a last line without an end.
grep -n -E '[ 	]+$' $(echo "$text" | grep -v -E '\.(md|tsv|txt)$') /dev/null | cut -d: -f1,2 | complain 'trailing white space'
for file in $text; do
	[ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] || echo "$file"
done | complain 'no newline at the end'

# Every C file opens with a comment that names it, or says what made it.
for file in $code; do
	head -n 6 "$file" | grep -q -F -e "$(basename "$file")" -e 'do not edit' || echo "$file"
done | complain 'no header comment with its name'

# Every folder of code says what it is for.
find src -name '*.c' | sed 's|/[^/]*$||' | sort -u | while read -r folder; do
	[ -f "$folder/README.md" ] || [ -f "$folder/README" ] || [ "$folder" = src ] || echo "$folder"
done | complain 'no README.md'

# A file holds one idea; generated tables excepted.
for file in $code; do
	case $file in *_table.[ch] | *_tables.[ch] | *_data.[ch]) continue ;; esac
	[ "$(wc -l <"$file")" -le 1000 ] || echo "$file"
done | complain 'longer than 1000 lines: two ideas'

# Leftovers, and paths that exist on one machine only.
grep -n -w -E 'TO''DO|FIX''ME|X''XX|HA''CK' $text /dev/null | cut -d: -f1,2 | complain 'a leftover to be done'
grep -n -E '/wo''rk/|/ho''me/[a-z]' $text /dev/null | cut -d: -f1,2 | complain 'a path of one machine'

# What one of the servers from 13 to 18 does not know; embed.h bridges it.
grep -n 'pg_attribute_nore''turn' $code /dev/null | cut -d: -f1,2 | complain 'write pg_noreturn in front: 18 knows no other'

# Floors: mathematics and file formats know no server, types no models, models
# no encoders and no indexes.
below() {					# below FOLDER FORBIDDEN-PATTERN
	[ ! -d "src/$1" ] ||
		grep -n -E "^#include \"($2)" -r "src/$1" --include='*.[ch]' | cut -d: -f1,2 |
		complain 'includes a higher floor'
}
below math 'postgres|embed\.h|format/|type/|text/|model/|encoder/|index/'
below format 'postgres|embed\.h|type/|text/|model/|encoder/|index/'
below tokenizer 'postgres|embed\.h|type/|text/|model/|encoder/|index/'
below type 'text/|model/|encoder/|index/'
below text 'type/|model/|encoder/|index/'
below model 'encoder/|index/'
below encoder 'index/'
below index 'encoder/'

# The top of the tree holds what a packager expects and nothing else.
ls | grep -v -x -E 'Makefile|embed\.control|sql|src|expected|test|README\.md|LICENSE|embed\.so|libembed\.(a|pc)' |
	complain 'does not belong at the top'

[ ! -s "$faults" ] || { cat "$faults"; echo "$(wc -l <"$faults") faults"; exit 1; }
echo "$(echo "$text" | wc -l) files, no fault"
