/*-------------------------------------------------------------------------
 *
 * search_key.h
 *	  Keys of a table's rows, as others name them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEARCH_SEARCH_KEY_H
#define SEARCH_SEARCH_KEY_H

#include "search/search.h"

/*
 * What keys are compared as: values of the key's own type, or the text of a
 * row where the key has several columns.
 */
typedef struct SearchKey
{
	Oid			type;
	int32		modifier;
	int16		length;
	bool		by_value;
	Oid			collation;
	FmgrInfo   *compare;
} SearchKey;

extern void search_key_find(const Search *search, SearchKey *key);

/*
 * A value of any type as one of the key's: itself, or read from its text, so
 * that 7 names a row with a key of type numeric, and a text one with a key of
 * type uuid whichever way it is written.  It is copied.
 */
extern Datum search_key_read(const SearchKey *key, Oid type, Datum value);

/* less than 0, 0, or more: by the order of the key's type */
extern int	search_key_compare(const SearchKey *key, Datum a, Datum b);

/* as in messages */
extern char *search_key_text(const SearchKey *key, Datum value);

#endif							/* SEARCH_SEARCH_KEY_H */
