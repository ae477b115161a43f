/*-------------------------------------------------------------------------
 *
 * encoding.h
 *	  The database's encoding as the word scanner wants it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_ENCODING_H
#define TEXT_ENCODING_H

#include "text/words.h"

/* NULL for UTF-8; an error for SQL_ASCII. */
extern CharacterSource *database_character_source(void);

#endif							/* TEXT_ENCODING_H */
