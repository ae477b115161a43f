/*-------------------------------------------------------------------------
 *
 * llama_rival.c
 *	  llama.cpp as a rival of run.py: llama_rival MODEL.gguf TEXTS LIMIT
 *
 * TEXTS is a file with a text on each line, of which LIMIT tokens are read.
 * Lines of the input are orders:
 *
 *	run FIRST COUNT BATCH	answered with the processor seconds it took
 *	show FIRST COUNT		answered with a vector of length one a line
 *
 * One thread; attention as the library chooses.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "llama.h"

#define MOST_TEXTS 100000
#define MOST_BATCH 32

static struct llama_context *context;
static const struct llama_vocab *vocabulary;
static struct llama_batch batch;
static int	limit;
static char *texts[MOST_TEXTS];
static int	width;

static void
be_silent(enum ggml_log_level level, const char *text, void *argument)
{
	if (level == GGML_LOG_LEVEL_ERROR)
		fputs(text, stderr);
}

static double
processor_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

static void
read_texts(const char *path)
{
	FILE	   *file = fopen(path, "r");
	size_t		size = 0;

	for (int i = 0; file != NULL && i < MOST_TEXTS; i++)
	{
		if (getline(&texts[i], &size, file) < 0)
			break;
		texts[i][strcspn(texts[i], "\n")] = '\0';
		size = 0;
	}
}

/* The tokens of a text go to the end of the batch. */
static void
add_text(int sequence, const char *text)
{
	static llama_token tokens[65536];
	int			count = llama_tokenize(vocabulary, text, strlen(text), tokens,
									   65536, true, false);

	if (count > limit)
	{
		tokens[limit - 1] = tokens[count - 1];
		count = limit;
	}
	for (int i = 0; i < count; i++)
	{
		int			at = batch.n_tokens++;

		batch.token[at] = tokens[i];
		batch.pos[at] = i;
		batch.n_seq_id[at] = 1;
		batch.seq_id[at][0] = sequence;
		batch.logits[at] = 1;
	}
}

static void
show(const float *row, double length)
{
	for (int d = 0; d < width; d++)
		printf("%.8g%c", row[d] / length, d == width - 1 ? '\n' : ' ');
}

static void
encode(int first, int count, int size, int shown)
{
	volatile float sum = 0;

	for (int begin = first; begin < first + count; begin += size)
	{
		int			some = first + count - begin;

		some = some < size ? some : size;
		batch.n_tokens = 0;
		for (int i = 0; i < some; i++)
			add_text(i, texts[begin + i]);
		if (llama_encode(context, batch) != 0)
			exit(1);
		for (int i = 0; i < some; i++)
		{
			const float *row = llama_get_embeddings_seq(context, i);
			double		length = 0;

			for (int d = 0; d < width; d++)
				length += (double) row[d] * row[d];
			length = sqrt(length);
			sum += row[0] / length;
			if (shown)
				show(row, length);
		}
	}
}

int
main(int argc, char **argv)
{
	struct llama_model_params how = llama_model_default_params();
	struct llama_context_params settings = llama_context_default_params();
	struct llama_model *model;
	char		order[16];
	int			first;
	int			count;

	if (argc != 4)
		return 2;
	llama_log_set(be_silent, NULL);
	llama_backend_init();
	limit = atoi(argv[3]);
	read_texts(argv[2]);
	model = llama_model_load_from_file(argv[1], how);
	if (model == NULL)
		return 1;
	vocabulary = llama_model_get_vocab(model);
	settings.n_ctx = settings.n_batch = settings.n_ubatch = limit * MOST_BATCH;
	settings.n_seq_max = MOST_BATCH;
	settings.n_threads = settings.n_threads_batch = 1;
	settings.embeddings = true;
	settings.pooling_type = LLAMA_POOLING_TYPE_MEAN;
	context = llama_init_from_model(model, settings);
	if (context == NULL)
		return 1;
	width = llama_model_n_embd(model);
	batch = llama_batch_init(limit * MOST_BATCH, 0, 1);
	while (scanf("%15s %d %d", order, &first, &count) == 3)
	{
		int			size = 1;
		double		begin = processor_seconds();

		if (strcmp(order, "run") == 0 && scanf("%d", &size) != 1)
			return 2;
		encode(first, count, size < MOST_BATCH ? size : MOST_BATCH,
			   strcmp(order, "show") == 0);
		if (strcmp(order, "run") == 0)
			printf("%.6f\n", processor_seconds() - begin);
		fflush(stdout);
	}
	return 0;
}
