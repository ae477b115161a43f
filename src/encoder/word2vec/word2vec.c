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

const char *const word2vec_algorithms[] = {"skipgram", "cbow", NULL};

const OptionDeclaration word2vec_options[] = {
	WORDS_OPTIONS,
	WORDS_SUBWORD_OPTIONS,
	OPTION_CHOICE_OF("algorithm", word2vec_algorithms, 0),
	OPTION_INTEGER_OF("window_size", 1, WORD2VEC_MAX_WINDOW, 5),
	OPTION_INTEGER_OF("negative", 0, WORD2VEC_MAX_NEGATIVE, 5),
	OPTION_BOOLEAN_OF("hierarchical_softmax", false),
	OPTION_NUMBER_OF("sample", 0, 1, 1e-3),
	OPTION_INTEGER_OF("epochs", 1, 1000000, 5),
	OPTION_NUMBER_OF("alpha", 1e-9, 1, 0.025),
	OPTION_INTEGER_OF("min_count", 1, PG_INT32_MAX, 5),
	MODEL_LOSSES,
	OPTIONS_END
};

const ModelMethod word2vec_method = {
	.name = "word2vec",
	.columns = words_columns,
	.column_count = WORDS_COLUMNS,
	.options = word2vec_options,
	.check = words_check,
	.build_image = words_build_image,
	.patch_image = words_patch_image,
	.image_format = WORDS_IMAGE_FORMAT,
	.image_sections = WORDS_SECTIONS,
	.encoder = &words_encoder,
	.tunable = &words_tunable
};

void
word2vec_init(void)
{
	model_method_register(&word2vec_method);
	trainer_task_register(&word2vec_task);
}
