/*-------------------------------------------------------------------------
 *
 * cluster.h
 *	  Characters that stand together where no word is: in scripts without
 *	  spaces, and in emoji.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_CLUSTER_H
#define TEXT_CLUSTER_H

#include "text/words.h"

/*
 * A cluster ends after so many characters, whatever follows: no text needs
 * more, and who reads one may read it in one go.
 */
#define CLUSTER_CHARACTERS	32

typedef enum ClusterKind
{
	CLUSTER_NONE,
	CLUSTER_PAIRED,				/* of a script without spaces */
	CLUSTER_EMOJI
} ClusterKind;

/* Whether a cluster starts at "from", where "first" was read. */
extern ClusterKind cluster_kind(CharacterSource *source, const char *input,
								size_t length, size_t from,
								const Character *first);

/* Where it ends. */
extern size_t cluster_end(CharacterSource *source, const char *input,
						  size_t length, size_t from, const Character *first,
						  ClusterKind kind);

#endif							/* TEXT_CLUSTER_H */
