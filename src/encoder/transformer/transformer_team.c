/*-------------------------------------------------------------------------
 *
 * transformer_team.c
 *	  A transformer tuned by several processes: each takes a share of the texts
 *	  of a batch, forwards and backwards; the leader adds the gradients up, in
 *	  the order of the members, and takes the steps.
 *
 * All see one array of weights, which nobody reads while the leader changes
 * it.  Shares have about as many tokens each; where they end follows from the
 * batch and the number of members.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_train.h"

#include "miscadmin.h"
#include "network/transformer_families.h"
#include "train/team.h"
#include "train/trainer.h"
#include "utils/memutils.h"

/* Measuring what is held out asks for so many texts at once */
#define FEWEST_TEXTS 64

/* At the begin of the memory; places are counted from there */
typedef struct NetworkShared
{
	TrainerPlan plan;			/* its family: by name */
	char		family[NAMEDATALEN];
	int			longest;
	int			dims;
	int			piece_texts;
	int64		piece_tokens;
	int			most_texts;		/* of a batch */
	Size		trainer_bytes;	/* of each member but the leader */

	Size		weights;
	Size		tokens;
	Size		start;
	Size		batch;			/* texts */
	Size		vectors;
	Size		slopes;			/* their gradients */
	Size		changes;		/* of low rank */
	Size		shares;			/* where each member's texts begin; one more */
	Size		gradients;		/* where each member's gradient lies */
	Size		trainers;
	Size		bytes;

	/* what is to be done */
	bool		backward;
	bool		training;
	uint64		noise;
} NetworkShared;

typedef struct NetworkTeam
{
	Team	   *team;
	NetworkShared *shared;
} NetworkTeam;

static void *
place_of(NetworkShared *shared, Size offset)
{
	return (char *) shared + offset;
}

/* ---------- room ---------- */

/*
 * A trainer that takes no steps: what the leader's has beyond its least saves
 * computing twice, and this one is to have as much.
 */
static Size
bytes_of_member(const NetworkTarget *network)
{
	TrainerPlan plan = network->plan;
	TrainerNeed leader = trainer_bytes(&plan, network->piece_tokens,
									   network->piece_texts,
									   network->longest);
	TrainerNeed member;

	plan.settings.follows = true;
	member = trainer_bytes(&plan, network->piece_tokens,
						   network->piece_texts, network->longest);
	return TYPEALIGN(PRODUCT_ALIGNMENT,
					 member.least + (network->bytes - leader.least));
}

static void
lay_out(const NetworkTarget *network, int texts, NetworkShared *shared)
{
	const TrainerPlan *plan = &network->plan;
	Size		row = sizeof(float) * network->target.dims;
	Size	   *bytes = &shared->bytes;

	*bytes = sizeof(NetworkShared);
	shared->most_texts = Max(texts, FEWEST_TEXTS);
	shared->trainer_bytes = bytes_of_member(network);
	shared->weights = trainer_reserve(bytes, plan->weight_floats,
									  sizeof(float));
	shared->tokens = trainer_reserve(bytes, network->token_count,
									 sizeof(int32));
	shared->start = trainer_reserve(bytes, (Size) network->texts + 1,
									sizeof(int64));
	shared->batch = trainer_reserve(bytes, shared->most_texts, sizeof(int32));
	shared->vectors = trainer_reserve(bytes, shared->most_texts, row);
	shared->slopes = trainer_reserve(bytes, shared->most_texts, row);
	shared->changes = trainer_reserve(bytes,
									  plan->settings.mode == TRAINER_LOW_RANK ?
									  plan->adapter_floats : 0, sizeof(float));
	shared->shares = trainer_reserve(bytes, (Size) network->workers + 1,
									 sizeof(int32));
	shared->gradients = trainer_reserve(bytes, network->workers, sizeof(Size));
	shared->trainers = trainer_reserve(bytes, network->workers - 1,
									   shared->trainer_bytes);
}

Size
network_team_bytes(const NetworkTarget *network, int texts)
{
	NetworkShared shared;

	if (network->workers == 1)
		return 0;
	lay_out(network, texts, &shared);
	return shared.bytes - sizeof(float) * network->plan.weight_floats;
}

/* ---------- the other members ---------- */

typedef struct Member
{
	NetworkShared *shared;
	NetworkTarget network;
} Member;

static void *
join_network(void *memory, int number)
{
	NetworkShared *shared = memory;
	Member	   *member = palloc0(sizeof(Member));
	NetworkTarget *network = &member->network;
	Size	   *gradients = place_of(shared, shared->gradients);
	size_t		count;

	product_init();
	member->shared = shared;
	network->plan = shared->plan;
	network->plan.model.config.family = transformer_family(shared->family);
	network->plan.settings.follows = true;
	network->target.dims = shared->dims;
	network->longest = shared->longest;
	network->piece_texts = shared->piece_texts;
	network->piece_tokens = shared->piece_tokens;
	network->tokens = place_of(shared, shared->tokens);
	network->start = place_of(shared, shared->start);
	network->weights = place_of(shared, shared->weights);
	network->trainer = trainer_begin(&network->plan, network->weights,
									 network->piece_tokens,
									 network->piece_texts, network->longest,
									 place_of(shared, shared->trainers +
											  (number - 1) *
											  shared->trainer_bytes),
									 shared->trainer_bytes);
	if (network->trainer == NULL)
		elog(ERROR, "trainer got too little memory");
	gradients[number] = (char *) trainer_gradients(network->trainer, &count) -
		(char *) shared;
	network_begin_batches(network);
	return member;
}

/* A member's share, forwards or backwards; the leader's, too */
static void
take_share(NetworkShared *shared, NetworkTarget *network, int number)
{
	const int32 *shares = place_of(shared, shared->shares);
	const int32 *texts = place_of(shared, shared->batch);
	Size		at = (Size) shares[number] * shared->dims;
	int			first = shares[number];
	int			count = shares[number + 1] - first;

	if (shared->backward)
		network_backward(network, first, count, texts + first, shared->noise,
						 (float *) place_of(shared, shared->slopes) + at);
	else
		network_forward(network, first, count, texts + first,
						shared->training, shared->noise,
						(float *) place_of(shared, shared->vectors) + at);
}

static void
work_network(void *state, int number, int members)
{
	Member	   *member = state;

	if (!member->shared->backward)
		trainer_follow(member->network.trainer,
					   place_of(member->shared, member->shared->changes));
	take_share(member->shared, &member->network, number);
}

static const TeamTask network_task = {
	"tuning of a transformer", join_network, work_network
};

void
network_team_init(void)
{
	team_task_register(&network_task);
}

/* ---------- the leader ---------- */

void
network_team_create(NetworkTarget *network, int texts)
{
	NetworkTeam *team = palloc(sizeof(NetworkTeam));
	NetworkShared shared;

	memset(&shared, 0, sizeof(shared));
	lay_out(network, texts, &shared);
	shared.plan = network->plan;
	strlcpy(shared.family, network->plan.model.config.family->name,
			NAMEDATALEN);
	shared.longest = network->longest;
	shared.dims = network->target.dims;
	shared.piece_texts = network->piece_texts;
	shared.piece_tokens = network->piece_tokens;
	team->team = team_create(&network_task, shared.bytes, "tuning",
							 network->workers);
	team->shared = team_memory(team->team);
	*team->shared = shared;
	memcpy(place_of(team->shared, shared.tokens), network->tokens,
		   sizeof(int32) * network->token_count);
	memcpy(place_of(team->shared, shared.start), network->start,
		   sizeof(int64) * ((Size) network->texts + 1));
	network->weights = place_of(team->shared, shared.weights);
	network->team = team;
}

void
network_team_run(NetworkTarget *network, void (*body) (void *argument),
				 void *argument, struct Progress *progress)
{
	team_run(network->team->team, body, argument, progress);
}

void
network_team_free(NetworkTarget *network)
{
	if (network->team == NULL)
		return;
	team_free(network->team->team);
	network->team = NULL;
	network->weights = NULL;
}

bool
network_team_is_there(const NetworkTarget *network)
{
	return network->team != NULL && team_members(network->team->team) > 1;
}

/* The member's share ends where its part of all tokens does. */
static void
deal_out(NetworkTarget *network, int count, const int32 *texts, int members)
{
	int32	   *shares = place_of(network->team->shared,
								  network->team->shared->shares);
	int64		all = 0;
	int64		before = 0;
	int			member = 0;

	for (int i = 0; i < count; i++)
		all += network_text_size(network, texts[i]);
	shares[0] = 0;
	for (int i = 0; i < count; i++)
	{
		int			size = network_text_size(network, texts[i]);

		/* the middle of the text says whose it is */
		while (member + 1 < members &&
			   (2 * before + size) * members > 2 * all * (member + 1))
			shares[++member] = i;
		before += size;
	}
	while (member < members)
		shares[++member] = count;
}

void
network_team_forward(NetworkTarget *network, int count, const int32 *texts,
					 bool training, uint64 noise, float *vectors)
{
	NetworkShared *shared = network->team->shared;
	Team	   *team = network->team->team;

	if (count > shared->most_texts)
		elog(ERROR, "a batch has more texts than was said");
	memcpy(place_of(shared, shared->batch), texts, sizeof(int32) * count);
	deal_out(network, count, texts, team_members(team));
	shared->backward = false;
	shared->training = training;
	shared->noise = noise;
	if (network->plan.settings.mode == TRAINER_LOW_RANK)
		trainer_copy_state(network->trainer,
						   place_of(shared, shared->changes));
	team_begin(team);
	take_share(shared, network, 0);
	team_end(team);
	memcpy(vectors, place_of(shared, shared->vectors),
		   sizeof(float) * shared->dims * (Size) count);
}

/* What a member has found is added, and zero again. */
static void
add_gradient(float *to, float *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		to[i] += from[i];
		from[i] = 0;
	}
}

void
network_team_backward(NetworkTarget *network, const float *gradients)
{
	NetworkShared *shared = network->team->shared;
	Team	   *team = network->team->team;
	int			members = team_members(team);
	const int32 *shares = place_of(shared, shared->shares);
	const Size *others = place_of(shared, shared->gradients);
	size_t		count;
	float	   *own = trainer_gradients(network->trainer, &count);

	memcpy(place_of(shared, shared->slopes), gradients,
		   sizeof(float) * shared->dims * (Size) shares[members]);
	shared->backward = true;
	team_begin(team);
	take_share(shared, network, 0);
	team_end(team);
	for (int member = 1; member < members; member++)
		add_gradient(own, place_of(shared, others[member]), count);
}
