/*-------------------------------------------------------------------------
 *
 * compare.h
 *	  What the files of compare_models share: the data in temporary tables,
 *	  and the methods.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEARCH_COMPARE_H
#define SEARCH_COMPARE_H

#include "server/server.h"

/* ---------- the data (compare_data.c) ---------- */

typedef enum CompareTask
{
	COMPARE_SEARCH = 1,			/* question, key of a document, grade */
	COMPARE_CLASSIFICATION = 2, /* text, label */
	COMPARE_SIMILARITY = 4		/* text, text, score */
} CompareTask;

/*
 * Tables in pg_temp, made by compare_load:
 *
 * embed_compare_texts (id, body, label, grade): documents with their keys as
 * labels; or examples; or pairs, n's texts with ids 2n and 2n + 1, the first
 * one with the score as its grade.
 *
 * embed_compare_judged (query, label, grade): of searches.
 */
#define COMPARE_TEXTS	"pg_temp.embed_compare_texts"
#define COMPARE_JUDGED	"pg_temp.embed_compare_judged"

extern CompareTask compare_load(const char *questions,
								const char *documents);
extern void compare_unload(void);

/* ---------- the methods (compare_methods.c) ---------- */

/* A candidate, read; SQL of its steps is ready to run. */
typedef struct CompareCandidate
{
	const char *name;			/* as it was written */
	int			tasks;
	const char *model;			/* that it makes, as SQL, or NULL */
	const char *preparation;	/* statements, each may be NULL */
	const char *training;
	const char *cleaning;
	const char *document;		/* expressions of column body */
	const char *query;
	const char *distance;		/* operator, qualified */
	const char *match;			/* distance of what shares nothing, or NULL */
} CompareCandidate;

/* the extension's schema, as SQL */
extern const char *compare_schema(void);

/* Names of all methods, for the task */
extern const char **compare_methods(CompareTask task, int *count);

/*
 * Reads a candidate: a method or a model, with arguments.  Ereports.
 * corpus: a query of texts to train on
 */
extern void compare_read(CompareCandidate *candidate, const char *text,
						 const char *corpus, int number, int64 seed);

#endif							/* SEARCH_COMPARE_H */
