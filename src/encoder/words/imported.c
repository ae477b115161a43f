/*-------------------------------------------------------------------------
 *
 * imported.c
 *	  Methods of models that other programs trained.
 *
 * They differ from what is trained here in the options that describe them,
 * and are read in the same way.  Files of word2vec make models of the method
 * word2vec.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/words/imported.h"

#include "encoder/words/word_model.h"

static const char *const glove_options[] = {"pooling", NULL};

static const char *const fasttext_options[] = {
	"algorithm", "min_n", "max_n", "buckets", "pooling", NULL
};

static const ModelMethod glove_method = {
	.name = "glove",
	.columns = words_columns,
	.column_count = WORDS_COLUMNS,
	.options = glove_options,
	.build_image = words_build_image,
	.image_format = WORDS_IMAGE_FORMAT,
	.image_sections = WORDS_SECTIONS
};

static const ModelMethod fasttext_method = {
	.name = "fasttext",
	.columns = words_columns,
	.column_count = WORDS_COLUMNS,
	.options = fasttext_options,
	.build_image = words_build_image,
	.image_format = WORDS_IMAGE_FORMAT,
	.image_sections = WORDS_SECTIONS
};

const ModelMethod *
imported_method(WordVectorsKind kind)
{
	switch (kind)
	{
		case WORD_VECTORS_TEXT_WITHOUT_HEADER:
			return &glove_method;
		case WORD_VECTORS_FASTTEXT:
			return &fasttext_method;
		default:
			return model_method_find("word2vec");
	}
}

void
imported_init(void)
{
	model_method_register(&glove_method);
	model_method_register(&fasttext_method);
}
