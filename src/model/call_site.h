/*-------------------------------------------------------------------------
 *
 * call_site.h
 *	  What is kept in fn_extra of a function that reads a model.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODEL_CALL_SITE_H
#define MODEL_CALL_SITE_H

#include "model/model.h"

typedef struct SnapshotIdentity
{
	TransactionId xmin;
	TransactionId xmax;
	uint32		running;
	int32		running_subtransactions;
	CommandId	command;
	LocalTransactionId transaction;
	SubTransactionId subtransaction;
	uint32		recovery;
} SnapshotIdentity;

StaticAssertDecl(sizeof(SnapshotIdentity) == 32, "no padding");

/* A model that was opened here, and for whom and under which snapshot */
typedef struct CallSiteModel
{
	Model		model;			/* model.table is InvalidOid until opened */
	SnapshotIdentity snapshot;
	Oid			user;
} CallSiteModel;

/* What is kept for one owner and model: see call_site_state */
typedef struct CallSiteState
{
	const void *owner;
	int			model_number;
	void	   *state;
	struct CallSiteState *next;
} CallSiteState;

typedef struct CallSite
{
	uint32		magic;
	CallSiteModel models[CALL_SITE_MODELS];
	int			model_count;	/* opened by the present call */
	CallSiteState *states;
	MemoryContext context;		/* of the call site: fn_mcxt */
	Oid			function;

	/* the last arguments and what came out */
	int			argument_count;
	int16	   *argument_lengths;	/* typlen; 0 stands for by value */
	bool		result_by_value;
	int16		result_length;
	bool		filled;
	bool		by_toast_pointer;	/* some argument is known by its pointer */
	int			version_count;
	uint64		versions[CALL_SITE_MODELS];
	uint64		generation;		/* of text search objects */
	SnapshotIdentity filled_under;
	char	   *key;
	Size		key_bytes;
	Size		key_capacity;
	Datum		result;
	bool		result_is_null;
} CallSite;

extern CallSite *call_site_get(FmgrInfo *flinfo);
extern void snapshot_identify(Snapshot snapshot, SnapshotIdentity *identity);

#endif							/* MODEL_CALL_SITE_H */
