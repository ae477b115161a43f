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
	src/index/ktree/spool.o src/index/ktree/vector.o src/math/kmeans.o \
	src/math/eigen.o src/math/krylov.o src/math/orthogonal.o src/math/lbfgs.o \
	src/math/spherical.o \
	src/network/backward.o src/network/backward_attention.o \
	src/network/loss_pair.o src/network/loss_ranking.o \
	src/network/optimizer.o src/network/trainer_layer.o \
	src/network/trainer_step.o \
	src/encoder/classifier/classifier_fit.o src/encoder/lsa/train_lsa.o \
	src/encoder/distill/distill_encode.o src/encoder/distill/distill_reduce.o \
	src/tuning/tuning_layer.o \
	src/network/lstm_train.o src/network/character_train.o: \
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

# The extension "vector", by which what was written for pgvector runs on embed.
# Where pgvector is installed its files stay, and ours go elsewhere, say into a
# directory of extension_control_path (from server 18 on):
#   make install-vector VECTOR_DIRECTORY=/path/to/extension
VECTOR_DIRECTORY = $(DESTDIR)$(datadir)/extension
VECTOR_FILES = sql/vector.control $(wildcard sql/vector--*.sql)
VECTOR_IS_FOREIGN = test -f '$(VECTOR_DIRECTORY)/vector.control' && \
	! grep -q libdir/embed '$(VECTOR_DIRECTORY)/vector.control'

install: install-vector-or-not
install-vector-or-not: installdirs
	@if $(VECTOR_IS_FOREIGN); then \
		echo "pgvector is installed in $(VECTOR_DIRECTORY): its extension vector stays."; \
		echo "make install-vector VECTOR_DIRECTORY=... puts that of embed elsewhere."; \
	else \
		$(INSTALL_DATA) $(VECTOR_FILES) '$(VECTOR_DIRECTORY)/'; \
	fi
install-vector:
	@if $(VECTOR_IS_FOREIGN); then \
		echo "pgvector is installed in $(VECTOR_DIRECTORY): name another VECTOR_DIRECTORY" >&2; \
		exit 1; \
	fi
	$(MKDIR_P) '$(VECTOR_DIRECTORY)'
	$(INSTALL_DATA) $(VECTOR_FILES) '$(VECTOR_DIRECTORY)/'
uninstall: uninstall-vector
uninstall-vector:
	@$(VECTOR_IS_FOREIGN) || \
		(cd '$(VECTOR_DIRECTORY)' && rm -f $(notdir $(VECTOR_FILES)))

demo:
	sh test/demo.sh
test:
	sh test/run.sh
.PHONY: demo test prove_installcheck install-vector install-vector-or-not \
	uninstall-vector
