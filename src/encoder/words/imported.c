/*-------------------------------------------------------------------------
 *
 * imported.c
 *	  Methods of models that other programs trained.
 *
 * They differ from what is trained here in the options that describe them,
 * and are read in the same way.  Files of word2vec and GloVe make models of
 * the methods that trainings here make.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/words/imported.h"

#include "encoder/words/word_model.h"

static const char *const algorithms[] = {"skipgram", "cbow", NULL};

static const OptionDeclaration fasttext_options[] = {
	WORDS_OPTIONS,
	WORDS_SUBWORD_OPTIONS,
	OPTION_CHOICE_OF("algorithm", algorithms, 0),
	OPTIONS_END
};

static const ModelMethod fasttext_method = {
	.name = "fasttext",
	.columns = words_columns,
	.column_count = WORDS_COLUMNS,
	.options = fasttext_options,
	.check = words_check,
	.build_image = words_build_image,
	.patch_image = words_patch_image,
	.image_format = WORDS_IMAGE_FORMAT,
	.image_sections = WORDS_SECTIONS,
	.encoder = &words_encoder,
	.tunable = &words_tunable
};

const ModelMethod *
imported_method(WordVectorsKind kind)
{
	switch (kind)
	{
		case WORD_VECTORS_TEXT_WITHOUT_HEADER:
			return model_method_find("glove");
		case WORD_VECTORS_FASTTEXT:
			return &fasttext_method;
		default:
			return model_method_find("word2vec");
	}
}

void
imported_init(void)
{
	model_method_register(&fasttext_method);
}
