/*-------------------------------------------------------------------------
 *
 * sums.h
 *	  Checksums of the rows of a table of tensors, kept in its row 0.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_SUMS_H
#define NETWORK_SUMS_H

#include "encoder/network/network.h"

/* Of bytes, and of a value of a row, of which a piece is in memory. */
extern uint32 network_sum(const void *bytes, Size length);
extern uint32 network_sum_value(struct varlena *data);

/* Rows in the order of their ids become the data of row 0. */
typedef StringInfoData NetworkSums;

extern void network_sums_begin(NetworkSums *sums);
extern void network_sums_add(NetworkSums *sums, int32 id, uint32 sum);
extern bytea *network_sums_value(const NetworkSums *sums);

/* And back: the value must not be toasted.  Below zero: it holds none. */
extern int	network_sums_count(const bytea *value);
extern void network_sums_get(const bytea *value, int number, int32 *id,
							 uint32 *sum);

#endif							/* NETWORK_SUMS_H */
