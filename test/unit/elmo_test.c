/*-------------------------------------------------------------------------
 *
 * elmo_test.c
 *	  Would fail if a small ELMo did not give what the definition gives in
 *	  double, if a text's numbers depended on other texts, if a carried state
 *	  were another than that of one long text, or if memory beyond the sizes
 *	  asked for were touched.
 *
 * Models are random, of sizes that fill no register and no panel.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/random.h"
#include "network/elmo.h"
#include "product_sets_of_machine.h"

#define MOST_TENSORS 64
#define MOST_TOKENS 200

static Random rng;
static ElmoOptions options;
static ElmoPlan plan;
static Elmo elmo;

/* the tensors, by the names of the plan */
static char names[MOST_TENSORS][80];
static float *values[MOST_TENSORS];
static size_t sizes[MOST_TENSORS];
static int	tensors;

static char *packed;
static size_t written;
static size_t piece;

static void *
aligned_block(size_t size)
{
	void	   *block = NULL;

	if (posix_memalign(&block, PRODUCT_ALIGNMENT, size) != 0)
		exit(EXIT_FAILURE);
	return block;
}

static int
find_tensor(const char *name)
{
	for (int i = 0; i < tensors; i++)
	{
		if (strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

static const float *
tensor(const char *format, int a, int b)
{
	char		name[80];

	snprintf(name, sizeof(name), format, a, b);
	CHECK(find_tensor(name) >= 0, "%s is not in the plan", name);
	return values[find_tensor(name)];
}

/* Random numbers for every tensor of the plan. */
static void
make_tensors(void)
{
	for (int i = 0; i < tensors; i++)
		free(values[i]);
	tensors = 0;
	for (int i = 0; i < plan.place_count; i++)
	{
		const ElmoPlace *place = &plan.places[i];
		size_t		size = (size_t) place->inner * (size_t) place->outer;

		if (find_tensor(place->name) >= 0)
			continue;
		/* W_0 is two places */
		if (strstr(place->name, "W_0") != NULL)
			size *= 2;
		strcpy(names[tensors], place->name);
		sizes[tensors] = size;
		values[tensors] = exact_alloc(sizeof(float) * size);
		for (size_t n = 0; n < size; n++)
			values[tensors][n] =
				(float) (random_gaussian(&rng) /
						 (place->is_matrix ? sqrt(place->inner) : 3));
		tensors++;
	}
}

static bool
read_tensor(void *argument, const char *name, uint64_t first, uint64_t count,
			ElmoReceive receive, void *receiver)
{
	int			number = find_tensor(name);

	CHECK(first + count <= sizes[number], "%s is read beyond its end", name);
	while (count > 0)
	{
		size_t		some = count < piece ? count : piece;

		receive(receiver, values[number] + first, some);
		first += some;
		count -= some;
	}
	return true;
}

static bool
write_packed(void *argument, const void *bytes, size_t size)
{
	CHECK(written + size <= plan.bytes, "more is written than planned");
	memcpy(packed + written, bytes, size);
	written += size;
	return true;
}

static void
make_model(ProductPrecision precision)
{
	ElmoFiles	files = {read_tensor, write_packed, NULL};
	char		message[ELMO_MESSAGE];
	void	   *memory;

	CHECK(elmo_plan(&plan, &options, precision, message), "%s", message);
	make_tensors();
	free(packed);
	packed = aligned_block(plan.bytes);
	memory = aligned_block(elmo_pack_bytes(&plan));
	written = 0;
	CHECK(elmo_pack(&plan, &files, memory), "packing stopped");
	free(memory);
	CHECK(written == plan.bytes, "%zu bytes are written of %zu", written,
		  plan.bytes);
	CHECK(elmo_open(&elmo, &plan, packed, plan.bytes), "does not open");
	CHECK(!elmo_open(&elmo, &plan, packed, plan.bytes - 1), "opens cut short");
	packed[20] ^= 1;
	CHECK(!elmo_open(&elmo, &plan, packed, plan.bytes),
		  "opens with another precision");
	packed[20] ^= 1;
	CHECK(elmo_open(&elmo, &plan, packed, plan.bytes), "does not open");
}

/* ---------- the definition ---------- */

static double
sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

static void
word_exactly(const CharacterWord *word, double *to)
{
	int			features = options.filters;
	int16_t    *ids = exact_alloc(sizeof(int16_t) * options.most_characters);
	double	   *x = exact_alloc(sizeof(double) * features);
	double	   *next = exact_alloc(sizeof(double) * features);
	int			count = character_ids(word, options.most_characters, ids);
	int			at = 0;

	for (; count < options.most_characters; count++)
		ids[count] = CHARACTER_PADDING;
	for (int f = 0; f < options.filter_count; f++)
	{
		int			width = options.filter_width[f];
		int			size = options.filter_size[f];
		const float *w = tensor("CNN/W_cnn_%d", f, 0);
		const float *b = tensor("CNN/b_cnn_%d", f, 0);
		const float *c = tensor("char_embed", 0, 0);

		for (int n = 0; n < size; n++)
		{
			double		most = -INFINITY;

			for (int t = 0; t + width <= options.most_characters; t++)
			{
				double		sum = b[n];

				for (int k = 0; k < width; k++)
				{
					for (int d = 0; d < options.character_dims; d++)
						sum += c[ids[t + k] * options.character_dims + d] *
							   w[(k * options.character_dims + d) * size + n];
				}
				most = fmax(most, sum);
			}
			x[at++] = options.activation == ELMO_TANH ? tanh(most)
													  : fmax(most, 0);
		}
	}
	for (int h = 0; h < options.highways; h++)
	{
		const float *wc = tensor("CNN_high_%d/W_carry", h, 0);
		const float *bc = tensor("CNN_high_%d/b_carry", h, 0);
		const float *wt = tensor("CNN_high_%d/W_transform", h, 0);
		const float *bt = tensor("CNN_high_%d/b_transform", h, 0);

		for (int n = 0; n < features; n++)
		{
			double		carry = bc[n];
			double		transform = bt[n];

			for (int k = 0; k < features; k++)
			{
				carry += x[k] * wc[k * features + n];
				transform += x[k] * wt[k * features + n];
			}
			carry = sigmoid(carry);
			next[n] = carry * fmax(transform, 0) + (1 - carry) * x[n];
		}
		memcpy(x, next, sizeof(double) * features);
	}
	for (int n = 0; n < options.projection; n++)
	{
		to[n] = tensor("CNN_proj/b_proj", 0, 0)[n];
		for (int k = 0; k < features; k++)
			to[n] += x[k] * tensor("CNN_proj/W_proj", 0, 0)
					 [k * options.projection + n];
	}
	free(ids);
	free(x);
	free(next);
}

/* A layer over "count" rows, from zeros, in their order or backwards. */
static void
layer_exactly(int direction, int number, int count, const double *x,
			  double *to)
{
	const char *cell = "RNN_%d/RNN/MultiRNNCell/Cell%d/LSTMCell/";
	int			in = options.projection;
	int			cells = options.cells;
	const float *w;
	const float *b;
	const float *p;
	double	   *c = exact_alloc(sizeof(double) * cells);
	double	   *m = exact_alloc(sizeof(double) * cells);
	double	   *s = exact_alloc(sizeof(double) * in);
	char		format[80];

	snprintf(format, sizeof(format), "%sW_0", cell);
	w = tensor(format, direction, number);
	snprintf(format, sizeof(format), "%sB", cell);
	b = tensor(format, direction, number);
	snprintf(format, sizeof(format), "%sW_P_0", cell);
	p = tensor(format, direction, number);
	memset(c, 0, sizeof(double) * cells);
	memset(s, 0, sizeof(double) * in);
	for (int step = 0; step < count; step++)
	{
		int			t = direction == 1 ? count - 1 - step : step;

		for (int u = 0; u < cells; u++)
		{
			double		gate[4];

			for (int g = 0; g < 4; g++)
			{
				gate[g] = b[g * cells + u];
				for (int k = 0; k < in; k++)
				{
					int			at = (k * 4 + g) * cells + u;

					gate[g] += x[t * in + k] * w[at] +
							   s[k] * w[in * 4 * cells + at];
				}
			}
			c[u] = sigmoid(gate[2] + 1) * c[u] +
				   sigmoid(gate[0]) * tanh(gate[1]);
			if (options.cell_clip > 0)
				c[u] = fmin(fmax(c[u], -options.cell_clip), options.cell_clip);
			m[u] = sigmoid(gate[3]) * tanh(c[u]);
		}
		for (int n = 0; n < in; n++)
		{
			s[n] = 0;
			for (int u = 0; u < cells; u++)
				s[n] += m[u] * p[u * in + n];
			if (options.projection_clip > 0)
				s[n] = fmin(fmax(s[n], -options.projection_clip),
							options.projection_clip);
			to[t * in + n] = s[n];
			if (number > 0 && options.skip_connections)
				to[t * in + n] += x[t * in + n];
		}
	}
	free(c);
	free(m);
	free(s);
}

/* ---------- tests ---------- */

static const char *const vocabulary[] = {
	CHARACTER_TEXT_BEGIN, CHARACTER_TEXT_END, "", "a", "bank",
	"a word that is longer than all of the room", "\303\251\303\251\303\251",
	"\360\237\230\200", "x"
};

#define WORDS ((int) (sizeof(vocabulary) / sizeof(vocabulary[0])))

static float *word_rows;		/* of the vocabulary */
static double *exact_rows;

static void
test_words(double bound)
{
	CharacterWord words[WORDS];
	void	   *scratch = aligned_block(
			   character_scratch_bytes(&elmo.encoder));
	int			half = options.projection;
	double		worst = 0;

	free(word_rows);
	free(exact_rows);
	word_rows = exact_alloc(sizeof(float) * WORDS * half);
	exact_rows = exact_alloc(sizeof(double) * WORDS * half);
	for (int i = 0; i < WORDS; i++)
		words[i] = (CharacterWord) {vocabulary[i], strlen(vocabulary[i])};
	CHECK(character_encode(&elmo.encoder, WORDS, words, word_rows, half,
						   scratch, NULL), "stopped");
	for (int i = 0; i < WORDS; i++)
	{
		word_exactly(&words[i], exact_rows + i * half);
		for (int n = 0; n < half; n++)
			worst = fmax(worst, fabs(word_rows[i * half + n] -
									 exact_rows[i * half + n]));
	}
	CHECK(worst < bound, "words differ by %g", worst);
	free(scratch);
}

static float *
run_layers(const ElmoTexts *texts, const float *start, float *end)
{
	int			words = texts->offsets[texts->count] - texts->offsets[0];
	size_t		rows = (size_t) words + 2 * (size_t) texts->count;
	float	   *to = exact_alloc(sizeof(float) * rows * elmo.layers *
								 elmo.dims);
	void	   *scratch = aligned_block(
			   elmo_scratch_bytes(&elmo, words, texts->count));

	CHECK(elmo_layers(&elmo, texts, to, start, end, scratch, NULL), "stopped");
	free(scratch);
	return to;
}

/* One text with its marks against the definition. */
static void
check_text(const ElmoTexts *texts, int number, const float *rows, double bound)
{
	int			half = options.projection;
	int			begin = texts->offsets[number];
	int			count = texts->offsets[number + 1] - begin + 2;
	double	   *x = exact_alloc(sizeof(double) * count * half);
	double	   *y = exact_alloc(sizeof(double) * count * half);
	double		worst = 0;

	for (int direction = 0; direction < 2; direction++)
	{
		for (int t = 0; t < count; t++)
		{
			int			row = t == 0 ? 0 : t == count - 1 ? 1
									 : texts->rows[begin + t - 1];

			memcpy(x + t * half, exact_rows + row * half,
				   sizeof(double) * half);
		}
		for (int l = 0; l < options.layers; l++)
		{
			layer_exactly(direction, l, count, x, y);
			memcpy(x, y, sizeof(double) * count * half);
			for (int t = 0; t < count; t++)
			{
				const float *row = rows + (t * elmo.layers + l) * elmo.dims +
								   direction * half;

				for (int n = 0; n < half; n++)
					worst = fmax(worst, fabs(y[t * half + n] - row[n]));
			}
		}
	}
	CHECK(worst < bound, "text %d differs by %g", number, worst);
	free(x);
	free(y);
}

static void
test_texts(double bound)
{
	static const int lengths[] = {0, 1, 17, 3, 0, 2, 40, 1, 5};
	const int	count = sizeof(lengths) / sizeof(lengths[0]);
	int32_t		offsets[sizeof(lengths) / sizeof(lengths[0]) + 1] = {0};
	int32_t		rows[MOST_TOKENS];
	ElmoTexts	texts = {count, offsets, rows, word_rows, true};
	size_t		width = (size_t) elmo.layers * elmo.dims;
	float	   *all;

	for (int t = 0; t < count; t++)
		offsets[t + 1] = offsets[t] + lengths[t];
	for (int i = 0; i < offsets[count]; i++)
		rows[i] = (int32_t) random_below(&rng, WORDS);
	all = run_layers(&texts, NULL, NULL);
	for (int t = 0; t < count; t++)
	{
		int32_t		alone_offsets[2] = {0, lengths[t]};
		ElmoTexts	one = {1, alone_offsets, rows + offsets[t], word_rows,
						   true};
		float	   *alone = run_layers(&one, NULL, NULL);
		float	   *short_of_marks;
		const float *here = all + (offsets[t] + 2 * t) * width;

		CHECK(memcmp(alone, here,
					 sizeof(float) * width * (lengths[t] + 2)) == 0,
			  "text %d is another alone", t);
		check_text(&texts, t, here, bound);
		one.last_marks = false;
		short_of_marks = run_layers(&one, NULL, NULL);
		CHECK(memcmp(alone + width, short_of_marks + width,
					 sizeof(float) * width * lengths[t]) == 0,
			  "text %d is another without its last marks", t);
		free(short_of_marks);
		free(alone);
	}
	free(all);
}

static bool
stop(void *argument)
{
	return true;
}

/* What a layer does with a state, and what stops it. */
static void
test_state(void)
{
	const LstmLayer *lstm = &elmo.lstm[0][0];
	int			half = options.projection;
	int32_t		first[12];
	int32_t		tokens[11];
	int32_t		of_token[11];	/* x is the row of some word */
	uint8_t		begins[11] = {1};
	float	   *whole = exact_alloc(sizeof(float) * 11 * half);
	float	   *parts = exact_alloc(sizeof(float) * 11 * half);
	float	   *state = exact_alloc(sizeof(float) * lstm_state_floats(lstm));
	void	   *scratch = aligned_block(lstm_scratch_bytes(lstm, 1));
	LstmSchedule schedule = {11, 1, first, tokens, begins};
	LstmRows	rows = {word_rows, half, of_token, whole, half};
	ProductInterrupt interrupt = {stop, NULL, 1e9};

	for (int i = 0; i < 12; i++)
		first[i] = i;
	for (int i = 0; i < 11; i++)
	{
		tokens[i] = i;
		of_token[i] = i % WORDS;
	}
	CHECK(lstm_run(lstm, &schedule, &rows, NULL, NULL, scratch, NULL), "stopped");
	rows.to = parts;
	schedule.steps = 4;
	CHECK(lstm_run(lstm, &schedule, &rows, NULL, state, scratch, NULL), "stopped");
	schedule.steps = 7;
	schedule.tokens = tokens + 4;
	CHECK(lstm_run(lstm, &schedule, &rows, state, state, scratch, NULL), "stopped");
	CHECK(memcmp(whole, parts, sizeof(float) * 11 * half) == 0,
		  "a state that is carried is not that of one text");
	CHECK(!lstm_run(lstm, &schedule, &rows, NULL, NULL, scratch, &interrupt),
		  "was not stopped");
	free(whole);
	free(parts);
	free(state);
	free(scratch);
}

static void
set_options(int form)
{
	memset(&options, 0, sizeof(options));
	options.character_dims = form == 0 ? 3 : 5;
	options.most_characters = form == 0 ? 9 : 14;
	options.filter_count = 3;
	for (int i = 0; i < 3; i++)
	{
		options.filter_width[i] = i == 2 ? options.most_characters : i + 1;
		options.filter_size[i] = 5 + 12 * i;
		options.filters += options.filter_size[i];
	}
	options.highways = form;
	options.activation = form == 1 ? ELMO_TANH : ELMO_RELU;
	options.layers = 1 + form;
	options.cells = form == 0 ? 1 : 35;
	options.projection = form == 0 ? 1 : 13;
	options.cell_clip = form == 1 ? 0.4 : 0;
	options.projection_clip = form == 2 ? 0.2 : 0;
	options.skip_connections = form != 1;
	piece = form == 0 ? 1 : form == 1 ? 7 : 100000;
}

static void
test_all(void)
{
	for (int form = 0; form < 3; form++)
	{
		set_options(form);
		make_model(PRODUCT_FLOAT32);
		test_words(1e-5);
		test_texts(1e-5);
		test_state();
	}
	make_model(PRODUCT_INT16);
	test_words(1e-2);
	test_texts(2e-2);
	make_model(PRODUCT_BFLOAT16);
	test_words(0.1);
	test_texts(0.1);
}

int
main(void)
{
	random_seed(&rng, 1);
	with_every_product_set(test_all);
	for (int i = 0; i < tensors; i++)
		free(values[i]);
	free(packed);
	free(word_rows);
	free(exact_rows);
	return check_result();
}
