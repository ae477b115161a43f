/*-------------------------------------------------------------------------
 *
 * chosen_option.h
 *	  An option's text, and which of the choices it was found to be: so that
 *	  a call for each row of a table does not search the names again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_CHOSEN_OPTION_H
#define VOCABULARY_CHOSEN_OPTION_H

#include "server/server.h"

/* all zero: nothing known yet */
typedef struct ChosenOption
{
	bool		known;
	int			choice;
	int			length;			/* of the text */
	char		text[32];
} ChosenOption;

/* the place of the value among the choices; a wrong one is an error */
extern int	chosen_option(ChosenOption *chosen, const char *kind,
						  const text *value, const char *const *choices);

#endif							/* VOCABULARY_CHOSEN_OPTION_H */
