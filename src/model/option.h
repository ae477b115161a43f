/*-------------------------------------------------------------------------
 *
 * option.h
 *	  The options of a method: declared once, checked wherever they are read.
 *
 * Options reach us as arguments of a training, as text given to
 * register_model(), and as the arguments of a trigger, which the owner of a
 * table may have written by hand.  A method declares each of its options
 * once; whatever reads one, reads it through that declaration, and so never
 * meets a value that the method did not expect.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODEL_OPTION_H
#define MODEL_OPTION_H

#include "server/server.h"

typedef enum OptionKind
{
	OPTION_INTEGER,				/* between least and most */
	OPTION_NUMBER,				/* between least and most, finite */
	OPTION_BOOLEAN,
	OPTION_CHOICE,				/* one of choices, ended by NULL */
	OPTION_NUMBERS,				/* a list of numbers, each as OPTION_NUMBER */
	OPTION_CONFIG,				/* name of a text search configuration */
	OPTION_MODEL				/* name of another model */
} OptionKind;

/* A list of numbers is not longer. */
#define OPTION_MOST_NUMBERS 64

typedef struct OptionDeclaration
{
	const char *name;
	OptionKind	kind;
	double		least;
	double		most;
	const char *const *choices;
	double		missing;		/* the value of an option that is not given: a
								 * number, 0 or 1, or the index of a choice */
	bool		required;		/* there is no such value */
	bool		kept;			/* the user's choice, not the training's: a new
								 * training leaves it as it is */
} OptionDeclaration;

/* Declarations, in the lists of methods; a list ends with OPTIONS_END. */
#define OPTION_INTEGER_OF(name, least, most, missing) \
	{name, OPTION_INTEGER, least, most, NULL, missing, false, false}
#define OPTION_INTEGER_REQUIRED(name, least, most) \
	{name, OPTION_INTEGER, least, most, NULL, 0, true, false}
#define OPTION_NUMBER_OF(name, least, most, missing) \
	{name, OPTION_NUMBER, least, most, NULL, missing, false, false}
#define OPTION_BOOLEAN_OF(name, missing) \
	{name, OPTION_BOOLEAN, 0, 1, NULL, missing, false, false}
#define OPTION_CHOICE_OF(name, choices, missing) \
	{name, OPTION_CHOICE, 0, 0, choices, missing, false, false}
#define OPTION_CHOICE_KEPT(name, choices, missing) \
	{name, OPTION_CHOICE, 0, 0, choices, missing, false, true}
#define OPTION_NUMBER_KEPT(name, least, most, missing) \
	{name, OPTION_NUMBER, least, most, NULL, missing, false, true}
#define OPTION_BOOLEAN_KEPT(name, missing) \
	{name, OPTION_BOOLEAN, 0, 1, NULL, missing, false, true}
#define OPTION_NUMBERS_KEPT(name, least, most) \
	{name, OPTION_NUMBERS, least, most, NULL, 0, false, true}
#define OPTION_NUMBERS_OF(name, least, most) \
	{name, OPTION_NUMBERS, least, most, NULL, 0, false, false}
#define OPTION_CONFIG_KEPT(name) \
	{name, OPTION_CONFIG, 0, 0, NULL, 0, true, true}
#define OPTION_CONFIG_REQUIRED(name) \
	{name, OPTION_CONFIG, 0, 0, NULL, 0, true, false}
#define OPTION_MODEL_OF(name) \
	{name, OPTION_MODEL, 0, 0, NULL, 0, false, false}
#define OPTIONS_END {NULL}

/* A value, read: of the members that one which the kind says */
typedef struct OptionValue
{
	bool		given;
	int64		integer;		/* also a boolean, the index of a choice, or
								 * how many numbers */
	double		number;
	const char *text;			/* as it was given, or NULL */
} OptionValue;

/* the declaration of this name, or NULL */
extern const OptionDeclaration *
option_find(const OptionDeclaration *declarations, const char *name);

/* the same, with an error that lists the right names */
extern const OptionDeclaration *
option_require(const OptionDeclaration *declarations, const char *name);

/* the value of an option that is not given */
extern OptionValue option_missing(const OptionDeclaration *declaration);

/* Read a value; false when it is not what the declaration says. */
extern bool option_read(const OptionDeclaration *declaration,
						const char *text, OptionValue *value);

/* The numbers of a list that was read; returns how many. */
extern int	option_numbers(const OptionDeclaration *declaration,
						   const char *text,
						   double numbers[OPTION_MOST_NUMBERS]);

/* what the declaration says, as "an integer between 1 and 100" */
extern char *option_expectation(const OptionDeclaration *declaration);

/*
 * Check an argument of an SQL function that becomes the option of this name.
 */
extern void option_check_argument(const OptionDeclaration *declarations,
								  const char *name, double value);

/* the index of an argument that is a choice; kind: "pooling" */
extern int	option_choose(const OptionDeclaration *declarations,
						  const char *name, const char *kind,
						  const char *value);

#endif							/* MODEL_OPTION_H */
