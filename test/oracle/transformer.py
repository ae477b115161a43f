"""If this fails, a transformer's vectors are not those of the public implementation.

Tiny random models of every family are made by the transformers package, with
fields varied, saved as safetensors and encoded by both sides: every token's
vector within 1e-5 (relative to the largest), every inner layer, every pooling,
every set of kernels that this machine has; and a text's bits do not depend on
the texts beside it.

Wants an environment with torch and transformers: EMBED_TORCH names its python,
else the python at hand is tried."""

import os
import sys

if os.environ.get('EMBED_TORCH') and not os.environ.get('EMBED_TORCH_TRIED'):
    os.environ['EMBED_TORCH_TRIED'] = '1'
    os.execv(os.environ['EMBED_TORCH'], [os.environ['EMBED_TORCH']] + sys.argv)

os.environ['HF_HUB_OFFLINE'] = '1'
os.environ['TRANSFORMERS_VERBOSITY'] = 'error'
os.environ['HF_HUB_DISABLE_PROGRESS_BARS'] = '1'
try:
    import numpy
    import torch
    import transformers
except ImportError as missing:
    print('the package %s is missing: set EMBED_TORCH to a python that has torch and transformers' % missing.name)
    sys.exit(77)

import json
import random
import tempfile
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import transformer_core as core
import transformer_models

warnings.simplefilter('ignore')
torch.set_num_threads(1)
torch.set_grad_enabled(False)
library = core.build()
failures = 0


def check(name, good, detail=''):
    global failures
    failures += not good
    if not good or os.environ.get('EMBED_VERBOSE'):
        print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail), flush=True)


def reference(model, ids, types):
    """Hidden states of all layers of one text."""
    arguments = {} if types is None else {'token_type_ids': torch.tensor([types])}
    result = model(input_ids=torch.tensor([ids]), output_hidden_states=True, **arguments)
    states = [h[0].numpy() for h in result.hidden_states]
    states[-1] = result.last_hidden_state[0].numpy()
    return states


def pooled(pooling, rows):
    """The definitions of sentence-transformers' Pooling."""
    rows = rows.astype(numpy.float64)
    weights = numpy.arange(1, len(rows) + 1)[:, None]
    return {'cls': lambda: rows[0], 'mean': lambda: rows.mean(axis=0), 'max': lambda: rows.max(axis=0),
            'mean_sqrt_len_tokens': lambda: rows.sum(axis=0) / len(rows) ** .5,
            'weightedmean': lambda: (rows * weights).sum(axis=0) / weights.sum(),
            'lasttoken': lambda: rows[-1]}[pooling]()


def compare(name, model, lengths, with_types=False, sets=('',)):
    transformer_models.randomize(model, sum(map(ord, name)))
    model.eval()
    model.config._attn_implementation = 'eager'
    chance = random.Random(name)
    vocabulary = model.config.vocab_size
    texts = [[chance.randrange(3, vocabulary) for _ in range(n)] for n in lengths]
    # a padding token in the middle of a text counts as any other, and not in positions
    padding = 1 if model.config.model_type == 'mpnet' else model.config.pad_token_id
    if model.config.model_type in ('roberta', 'mpnet', 'xlm-roberta', 'camembert') and padding is not None:
        texts[-1][len(texts[-1]) // 2] = padding
    types = None
    if with_types:
        types = [[chance.randrange(model.config.type_vocab_size) for _ in text] for text in texts]
    right = [reference(model, text, types[i] if types else None) for i, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        for kernels in sets:
            used = library.shim_kernels(kernels.encode()).decode()
            if not used:
                continue
            try:
                ours = core.of_folder(library, folder, piece=chance.choice([7, 1000, 1000003]))
            except core.Refused as refusal:
                check('%s on %s' % (name, used), False, str(refusal))
                continue
            layers = len(right[0]) - 1
            for l in {0, 1, layers - 1, layers}:
                got = ours.encode(texts, 'none', types=types, layer=l if l < layers else -1)
                want = numpy.concatenate([states[l] for states in right])
                scale = max(1, abs(want).max())
                worst = abs(got - want).max() / scale
                check('%s on %s, layer %d' % (name, used, l), worst < 1e-5, 'differs by %.1e of %.1f' % (worst, scale))
            for pooling in core.POOLINGS[1:]:
                got = ours.encode(texts, pooling, types=types)
                want = numpy.array([pooled(pooling, states[-1]) for states in right])
                scale = max(1, abs(want).max())
                worst = abs(got - want).max() / scale
                check('%s on %s, pooling %s' % (name, used, pooling), worst < 1e-5, 'differs by %.1e' % worst)
                alone = numpy.concatenate([ours.encode([text], pooling, types=[types[i]] if types else None)
                                           for i, text in enumerate(texts)])
                check('%s on %s, pooling %s: the same bits alone' % (name, used, pooling), (alone == got).all())
            for precision, least in (('bfloat16', .998), ('int16', .99999), ('int8', .95)):
                rounded = core.of_folder(library, folder, precision)
                got = rounded.encode(texts, 'mean', types=types, normalize=True).astype(float)
                want = ours.encode(texts, 'mean', types=types, normalize=True).astype(float)
                cosine = (got * want).sum(axis=1).min()
                check('%s on %s, %s' % (name, used, precision), cosine > least, 'cosine %.6f' % cosine)
                alone = numpy.concatenate([rounded.encode([text], 'mean', normalize=True,
                                                          types=[types[i]] if types else None)
                                           for i, text in enumerate(texts)])
                check('%s on %s, %s: the same bits alone' % (name, used, precision),
                      (alone == got.astype(numpy.float32)).all())
    print('done     %s, %d parameters' % (name, sum(p.numel() for p in model.parameters())), flush=True)


SHORT = [1, 2, 3, 7, 12, 13, 31, 32, 33, 64, 100]
SETS = ('scalar', 'avx2', 'avx512', 'avx512_bf16', 'avx512_vnni', 'amx', 'neon', 'neon_dot')
cases = [
    ('bert', SHORT, True, SETS),
    ('bert of odd sizes', SHORT, True, SETS),
    ('bert of one layer', SHORT, False, ('',)),
    ('bert with long texts', [5, 513, 700, 300, 1537], True, SETS),
    ('distilbert', SHORT, False, ('',)),
    ('distilbert of sinusoids', SHORT, False, ('',)),
    ('roberta', SHORT, False, ('',)),
    ('xlm-roberta', [600, 5, 90], False, ('',)),
    ('camembert', SHORT, False, ('',)),
    ('mpnet', SHORT + [300, 690], False, SETS),
    ('mpnet of another padding', SHORT, False, ('',)),
    ('albert', SHORT, True, ('',)),
    ('albert of groups', SHORT, False, ('',)),
    ('electra', SHORT, True, ('',)),
    ('llama', SHORT + [600], False, SETS),
    ('llama with biases', SHORT, False, ('',)),
    ('llama 3', SHORT, False, ('',)),
    ('llama stretched', SHORT, False, ('',)),
    ('mistral', SHORT + [600], False, ('',)),
    ('qwen2', SHORT, False, ('',)),
    ('qwen3', SHORT + [600], False, SETS),
    ('eurobert', SHORT, False, ('',)),
    ('gemma3', SHORT + [600], False, ('',)),
    ('gemma3 causal', SHORT, False, ('',)),
    ('modernbert', SHORT + [1100], False, SETS),
    ('modernbert with biases', SHORT, False, ('',)),
    ('nomic', SHORT, True, ('',)),
    ('gte', SHORT, False, ('',)),
    ('jina v3', SHORT, False, ('',)),
]

wanted = sys.argv[1:]
made = transformer_models.models()
if {case[0] for case in cases} != set(made):
    check('every model has a case', False, sorted(set(made) ^ {case[0] for case in cases}))
for name, lengths, with_types, sets in cases:
    if wanted and name not in wanted:
        continue
    torch.manual_seed(1)
    compare(name, made[name](), lengths, with_types, sets)
print('%d failures' % failures)
sys.exit(failures != 0)
