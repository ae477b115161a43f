/*-------------------------------------------------------------------------
 *
 * glove_method.c
 *	  How a GloVe model looks: columns, options, image.
 *
 * Models that were imported from files of GloVe have only the options that
 * all models of word vectors have.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/glove/glove.h"

const OptionDeclaration glove_options[] = {
	WORDS_OPTIONS,
	OPTION_INTEGER_OF("window_size", 1, GLOVE_MAX_WINDOW, 15),
	OPTION_INTEGER_OF("min_count", 1, PG_INT32_MAX, 5),
	OPTION_NUMBER_OF("x_max", 1e-9, 1e300, 100),
	OPTION_NUMBER_OF("alpha", 0, 10, 0.75),
	OPTION_NUMBER_OF("eta", 1e-9, 1, 0.05),
	OPTION_INTEGER_OF("epochs", 1, 1000000, 25),
	OPTION_BOOLEAN_OF("symmetric", true),
	OPTION_BOOLEAN_OF("distance_weighting", true),
	OPTION_CHOICE_KEPT("unknown", words_unknowns, 0),
	MODEL_LOSSES,
	OPTIONS_END
};

const ModelMethod glove_method = {
	.name = "glove",
	.columns = words_columns,
	.column_count = WORDS_COLUMNS,
	.options = glove_options,
	.build_image = words_build_image,
	.patch_image = words_patch_image,
	.image_format = WORDS_IMAGE_FORMAT,
	.image_sections = WORDS_SECTIONS,
	.encoder = &words_encoder,
	.tunable = &words_tunable_glove
};

void
glove_init(void)
{
	model_method_register(&glove_method);
	trainer_task_register(&glove_task);
}
