# embed: text embeddings and vector search inside PostgreSQL
#
#   make && make install && make installcheck    as for every PGXS extension
#   make PG_CONFIG=/path/to/pg_config            for another server
#   make demo, make test                         what the README's commands do
#   make WERROR=1                                warnings are errors
#   make SANITIZE=address,undefined              with sanitizers

EXTENSION = embed
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" embed.control)

MODULE_big = embed
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c src/*/*/*.c)))
TREE_HEADERS = $(wildcard src/*.h src/*/*.h src/*/*/*.h)

# The install script is concatenated from one part per room; the numbers give
# the order of the floors.  Upgrade scripts lie beside the parts.
SQL_PARTS = $(sort $(wildcard sql/[0-9]*.sql))
DATA = $(wildcard sql/embed--*--*.sql)
DATA_built = sql/embed--$(EXTVERSION).sql

# Nothing but the SQL entry points leaves the library, and its own calls never
# leave it: pgvector may be loaded in the same backend under equal C names.
PG_CPPFLAGS = -I$(CURDIR)/src
PG_CFLAGS = -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter \
	-Wno-sign-compare -Wno-missing-field-initializers
# clang does not know every flag that a server built with gcc passes on
PG_CFLAGS += $(if $(findstring clang,$(CC)),-Wno-ignored-optimization-argument \
	-Wno-unknown-warning-option -Wno-ignored-attributes)
SHLIB_LINK = -Wl,-Bsymbolic -lm -ldl

ifdef WERROR
PG_CFLAGS += -Werror
endif
ifdef SANITIZE
PG_CFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
SHLIB_LINK += -fsanitize=$(SANITIZE)
endif

# Kernels are reached through pointers chosen at load, so the JIT could inline
# nothing worth a second compilation of every file.
override with_llvm = no

# What one part of the tests needs, test/run.sh asks for by name: REGRESS=...
REGRESS ?= $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --outputdir=test/output --load-extension=$(EXTENSION)
ISOLATION ?= $(sort $(patsubst test/specs/%.spec,%,$(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=test/output --load-extension=$(EXTENSION)
PROVE_TESTS ?= $(sort $(wildcard test/t/*.pl))

EXTRA_CLEAN = $(DATA_built) test/output test/tmp tmp_check

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(TREE_HEADERS)

# Loops over elements that no kernel serves: for the compiler's vectorizer.
src/type/aggregate.o src/type/arithmetic.o src/type/cast.o src/type/element.o \
	src/index/ktree/split_nodes.o src/index/ktree/build_nodes.o \
	src/index/ktree/spool.o src/index/ktree/vector.o src/math/kmeans.o: \
	override CFLAGS += -O3

$(DATA_built): $(SQL_PARTS) embed.control
	cat $(SQL_PARTS) > $@

installcheck: test/output
test/output:
	mkdir -p $@

# The TAP tests start servers of their own, which root may not, and need
# libipc-run-perl: a target of their own, so that installcheck asks for neither.
prove_installcheck:
	rm -rf tmp_check
	TESTDIR='$(CURDIR)' PATH="$(bindir):$$PATH" PGPORT='6$(DEF_PGPORT)' \
	PG_REGRESS='$(top_builddir)/src/test/regress/pg_regress' \
	$(PROVE) -I $(top_srcdir)/src/test/perl -I test/t $(PROVE_FLAGS) $(PROVE_TESTS)

demo:
	sh test/demo.sh
test:
	sh test/run.sh
.PHONY: demo test prove_installcheck
