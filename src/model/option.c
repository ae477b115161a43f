/*-------------------------------------------------------------------------
 *
 * option.c
 *	  The options of a method: declared once, checked wherever they are read.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "model/option.h"
#include "server/extension.h"
#include "utils/builtins.h"

const OptionDeclaration *
option_find(const OptionDeclaration *declarations, const char *name)
{
	for (; declarations->name != NULL; declarations++)
	{
		if (strcmp(declarations->name, name) == 0)
			return declarations;
	}
	return NULL;
}

const OptionDeclaration *
option_require(const OptionDeclaration *declarations, const char *name)
{
	const OptionDeclaration *found = option_find(declarations, name);
	const char **names;
	int			count = 0;

	if (found != NULL)
		return found;
	while (declarations[count].name != NULL)
		count++;
	names = palloc((count + 1) * sizeof(char *));
	for (int i = 0; i <= count; i++)
		names[i] = declarations[i].name;
	(void) choice_index("option", name, names);
	pg_unreachable();
}

OptionValue
option_missing(const OptionDeclaration *declaration)
{
	OptionValue value = {false, (int64) declaration->missing,
	declaration->missing, NULL};

	if (declaration->kind == OPTION_CHOICE)
		value.text = declaration->choices[value.integer];
	return value;
}

static bool
read_integer(const OptionDeclaration *declaration, const char *text,
			 OptionValue *value)
{
	char	   *end;

	errno = 0;
	value->integer = strtoll(text, &end, 10);
	value->number = (double) value->integer;
	return errno == 0 && end != text && *end == '\0' &&
		value->number >= declaration->least &&
		value->number <= declaration->most;
}

static bool
read_number(const OptionDeclaration *declaration, const char *text,
			OptionValue *value)
{
	char	   *end;

	errno = 0;
	value->number = strtod(text, &end);
	return errno == 0 && end != text && *end == '\0' &&
		isfinite(value->number) && value->number >= declaration->least &&
		value->number <= declaration->most;
}

static bool
read_choice(const OptionDeclaration *declaration, const char *text,
			OptionValue *value)
{
	for (int i = 0; declaration->choices[i] != NULL; i++)
	{
		value->integer = i;
		if (strcmp(declaration->choices[i], text) == 0)
			return true;
	}
	return false;
}

/* Numbers with commas between them; -1 where they are not. */
int
option_numbers(const OptionDeclaration *declaration, const char *text,
			   double numbers[OPTION_MOST_NUMBERS])
{
	int			count = 0;

	for (;;)
	{
		char	   *end;
		double		number;

		errno = 0;
		number = strtod(text, &end);
		if (errno != 0 || end == text || !isfinite(number) ||
			number < declaration->least || number > declaration->most ||
			count == OPTION_MOST_NUMBERS)
			return -1;
		numbers[count++] = number;
		while (*end == ' ')
			end++;
		if (*end == '\0')
			return count;
		if (*end != ',')
			return -1;
		text = end + 1;
	}
}

bool
option_read(const OptionDeclaration *declaration, const char *text,
			OptionValue *value)
{
	double		numbers[OPTION_MOST_NUMBERS];
	bool		boolean = false;
	bool		good = true;

	memset(value, 0, sizeof(OptionValue));
	value->given = true;
	value->text = text;
	switch (declaration->kind)
	{
		case OPTION_INTEGER:
			return read_integer(declaration, text, value);
		case OPTION_NUMBER:
			return read_number(declaration, text, value);
		case OPTION_BOOLEAN:
			good = parse_bool(text, &boolean);
			value->integer = boolean;
			return good;
		case OPTION_CHOICE:
			return read_choice(declaration, text, value);
		case OPTION_NUMBERS:
			value->integer = option_numbers(declaration, text, numbers);
			return value->integer > 0;
		case OPTION_CONFIG:
		case OPTION_MODEL:
			return true;		/* looked up where it is used */
	}
	return false;
}

static char *
whole_range(const OptionDeclaration *declaration)
{
	return psprintf("between %.15g and %.15g", declaration->least,
					declaration->most);
}

/* "between 1 and 100", or as much of it as says something */
static char *
range_text(const OptionDeclaration *declaration)
{
	if (declaration->most >= (double) PG_INT32_MAX &&
		declaration->least > -(double) PG_INT32_MAX)
		return psprintf("at least %.15g", declaration->least);
	return whole_range(declaration);
}

char *
option_expectation(const OptionDeclaration *declaration)
{
	StringInfoData list;

	switch (declaration->kind)
	{
		case OPTION_INTEGER:
			return psprintf("an integer %s", range_text(declaration));
		case OPTION_NUMBER:
			return psprintf("a number %s", range_text(declaration));
		case OPTION_NUMBERS:
			return psprintf("up to %d numbers with commas between them, each %s",
							OPTION_MOST_NUMBERS, range_text(declaration));
		case OPTION_BOOLEAN:
			return "a boolean";
		case OPTION_CHOICE:
			initStringInfo(&list);
			appendStringInfoString(&list, "one of ");
			for (int i = 0; declaration->choices[i] != NULL; i++)
				appendStringInfo(&list, "%s%s", i == 0 ? "" : ", ",
								 declaration->choices[i]);
			return list.data;
		case OPTION_CONFIG:
			return "the name of a text search configuration";
		case OPTION_MODEL:
			return "the name of a model";
	}
	return "";
}

void
option_check_argument(const OptionDeclaration *declarations, const char *name,
					  double value)
{
	const OptionDeclaration *declaration = option_require(declarations, name);

	if (value >= declaration->least && value <= declaration->most)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must be %s", name, value > declaration->most ?
					whole_range(declaration) : range_text(declaration)),
			 errdetail("The value is %.15g.", value)));
}

int
option_choose(const OptionDeclaration *declarations, const char *name,
			  const char *kind, const char *value)
{
	return choice_index(kind, value,
						option_require(declarations, name)->choices);
}
