/*-------------------------------------------------------------------------
 *
 * word2vec.c
 *	  How a word2vec model looks: columns, options, image.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "catalog/pg_type.h"
#include "encoder/word2vec/word2vec.h"
#include "encoder/words/word_model.h"

static const char *const word2vec_options[] = {
	"algorithm", "window_size", "negative", "hierarchical_softmax", "sample",
	"epochs", "alpha", "min_count", "min_n", "max_n", "buckets",
	"pooling", NULL
};

const ModelMethod word2vec_method = {
	.name = "word2vec",
	.columns = words_columns,
	.column_count = WORDS_COLUMNS,
	.options = word2vec_options,
	.build_image = words_build_image,
	.image_format = WORDS_IMAGE_FORMAT,
	.image_sections = WORDS_SECTIONS
};

void
word2vec_init(void)
{
	model_method_register(&word2vec_method);
	trainer_task_register(&word2vec_task);
}
