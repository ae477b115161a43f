/*-------------------------------------------------------------------------
 *
 * sums.c
 *	  Checksums of the rows of a table of tensors, kept in its row 0.
 *
 * Two rows of equal element, shape and size can be exchanged, or a byte of a
 * weight be another, and everything still fits.  So row 0 says of each other
 * row, in the order of their ids, its id and the CRC-32C of its data, four
 * bytes each, the most significant first.  Whoever changes a row on purpose
 * has them written anew by embed_refresh or register_model.
 *
 * A table whose row 0 says nothing was made by hand, and is not checked.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/sums.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "port/pg_crc32c.h"
#include "server/execute.h"
#include "server/extension.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#define PIECE_BYTES (1024 * 1024)

/* an id and a sum */
#define ENTRY_BYTES (2 * sizeof(uint32))

uint32
network_sum(const void *bytes, Size length)
{
	pg_crc32c	sum;

	INIT_CRC32C(sum);
	COMP_CRC32C(sum, bytes, length);
	FIN_CRC32C(sum);
	return sum;
}

/* Is a piece of it read without reading what is before it? */
static bool
has_pieces(struct varlena *data)
{
	struct varatt_external pointer;

	if (!VARATT_IS_EXTERNAL_ONDISK(data))
		return false;
	VARATT_EXTERNAL_GET_POINTER(pointer, data);
	return !VARATT_EXTERNAL_IS_COMPRESSED(pointer);
}

uint32
network_sum_value(struct varlena *data)
{
	Size		length = toast_raw_datum_size(PointerGetDatum(data)) -
						 VARHDRSZ;
	bool		pieces = has_pieces(data);
	pg_crc32c	sum;

	INIT_CRC32C(sum);
	for (Size at = 0; at < length; at += PIECE_BYTES)
	{
		struct varlena *piece;

		CHECK_FOR_INTERRUPTS();
		if (pieces)
			piece = detoast_attr_slice(data, (int32) at, PIECE_BYTES);
		else
			piece = detoast_attr(data);
		COMP_CRC32C(sum, VARDATA_ANY(piece), VARSIZE_ANY_EXHDR(piece));
		if (piece != data)
			pfree(piece);
		if (!pieces)
			break;
	}
	FIN_CRC32C(sum);
	return sum;
}

/* ---------- what row 0 holds ---------- */

void
network_sums_begin(NetworkSums *sums)
{
	initStringInfo(sums);
}

void
network_sums_add(NetworkSums *sums, int32 id, uint32 sum)
{
	uint32		entry[2] = {pg_hton32((uint32) id), pg_hton32(sum)};

	appendBinaryStringInfo(sums, (char *) entry, sizeof(entry));
}

bytea *
network_sums_value(const NetworkSums *sums)
{
	bytea	   *value = palloc(VARHDRSZ + sums->len);

	SET_VARSIZE(value, VARHDRSZ + sums->len);
	memcpy(VARDATA(value), sums->data, sums->len);
	return value;
}

int
network_sums_count(const bytea *value)
{
	Size		length = VARSIZE_ANY_EXHDR(value);

	if (length % ENTRY_BYTES != 0)
		return -1;
	return (int) (length / ENTRY_BYTES);
}

void
network_sums_get(const bytea *value, int number, int32 *id, uint32 *sum)
{
	uint32		entry[2];

	memcpy(entry, VARDATA_ANY(value) + number * ENTRY_BYTES, ENTRY_BYTES);
	*id = (int32) pg_ntoh32(entry[0]);
	*sum = pg_ntoh32(entry[1]);
}

/* ---------- written anew ---------- */

/* A null is left for those to complain of who read the table. */
static void
receive_row(const Datum *values, const bool *nulls, void *argument)
{
	if (!nulls[0] && !nulls[1])
		network_sums_add(argument, DatumGetInt32(values[0]),
						 network_sum_value((struct varlena *)
										   DatumGetPointer(values[1])));
}

/* The sums of all rows under a snapshot of now. */
static void
read_sums(const char *name, NetworkSums *sums)
{
	PreparedCommand *command;

	command = execute_prepare(
		psprintf("SELECT id, data FROM ONLY %s WHERE id OPERATOR(pg_catalog.<>) 0 ORDER BY id",
				 name),
		SPI_OK_SELECT, 0, NULL);
	PushActiveSnapshot(GetLatestSnapshot());
	(void) execute_prepared_query(command, NULL, NULL, receive_row, sums);
	PopActiveSnapshot();
}

void
network_sums_refresh(Oid table)
{
	static const Oid types[] = {BYTEAOID};
	char	   *name = qualified_relation_name(table);
	NetworkSums sums;
	Datum		values[1];
	bool		nulls[1] = {false};
	ExecuteArguments arguments = {1, types, values, nulls};
	ModelCaller caller;

	LockRelationOid(table, ShareRowExclusiveLock);
	network_sums_begin(&sums);
	model_become_writer(table, &caller);
	read_sums(name, &sums);
	/* rows may yet come to a table that has none */
	nulls[0] = sums.len == 0;
	values[0] = PointerGetDatum(network_sums_value(&sums));
	(void) execute_with(psprintf("UPDATE ONLY %s SET data = $1 WHERE id OPERATOR(pg_catalog.=) 0",
								 name),
						SPI_OK_UPDATE, &arguments);
	model_become_caller(&caller);
}
