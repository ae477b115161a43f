/*-------------------------------------------------------------------------
 *
 * chosen_option.c
 *	  An option's text, and which of the choices it was found to be.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/vocabulary/chosen_option.h"
#include "model/model.h"
#include "server/extension.h"
#include "utils/builtins.h"

int
chosen_option(ChosenOption *chosen, const char *kind,
			  const text *value, const char *const *choices)
{
	int			length = VARSIZE_ANY_EXHDR(value);

	if (chosen->known && chosen->length == length &&
		memcmp(chosen->text, VARDATA_ANY(value), length) == 0)
		return chosen->choice;

	chosen->known = false;
	chosen->choice = choice_index(kind, text_to_cstring(value), choices);
	if (length <= sizeof(chosen->text))
	{
		memcpy(chosen->text, VARDATA_ANY(value), length);
		chosen->length = length;
		chosen->known = true;
	}
	return chosen->choice;
}
