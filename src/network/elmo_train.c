/*-------------------------------------------------------------------------
 *
 * elmo_train.c
 *	  Loss and gradients of the two language models of an ELMo.
 *
 *-------------------------------------------------------------------------
 */
#include "network/elmo_run.h"

bool
elmo_trainer_run(ElmoTrainer *trainer, const ElmoWindow *window, Real *weights,
				 const SampledSoftmax *softmax, Real *gradients, Real scale,
				 Real *states, double *loss, ProductInterrupt *interrupt)
{
	int			layers = trainer->parameters->options.layers;
	ElmoRun		run = elmo_run(trainer, window, weights, states, interrupt);

	run.gradients = gradients;
	run.drops = gradients != NULL;
	if (!elmo_run_words(&run))
		return false;
	for (int direction = 0; direction < 2; direction++)
	{
		if (!elmo_run_forward(&run, direction) ||
			!sampled_softmax(softmax, run.rows, trainer->x[layers],
							 window->target[direction], scale, trainer->dy,
							 loss, trainer->softmax, &run.work) ||
			(gradients != NULL && !elmo_run_backward(&run, direction)))
			return false;
	}
	return gradients == NULL || elmo_run_characters(&run);
}
