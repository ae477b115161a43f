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


def randomize(model, seed):
    """Weights with some spread, so that every part of a layer shows in the result."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1:
            parameter.copy_((1 if 'orm' in name and name.endswith('weight') and 'gemma' not in model.config.model_type
                             else 0) + 0.3 * noise)
        else:
            parameter.copy_(noise * (0.7 if 'embed' in name.lower() or 'relative' in name else 1.5 / parameter.shape[-1] ** .5))


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
    randomize(model, sum(map(ord, name)))
    model.eval()
    model.config._attn_implementation = 'eager'
    chance = random.Random(name)
    vocabulary = model.config.vocab_size
    texts = [[chance.randrange(3, vocabulary) for _ in range(n)] for n in lengths]
    # a padding token in the middle of a text counts as any other, and not in positions
    padding = model.config.pad_token_id
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
SETS = ('scalar', 'avx2', 'avx512', 'avx512_bf16', 'avx512_vnni', 'neon', 'neon_dot')
t = transformers
bert = dict(vocab_size=99, hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=80,
            max_position_embeddings=130)
llama = dict(vocab_size=99, hidden_size=48, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2,
             intermediate_size=80, max_position_embeddings=2048, head_dim=16, pad_token_id=None)

cases = [
    ('bert', lambda: t.BertModel(t.BertConfig(**bert)), SHORT, True, SETS),
    ('bert of odd sizes', lambda: t.BertModel(t.BertConfig(**dict(
        bert, hidden_size=60, num_attention_heads=3, intermediate_size=77, hidden_act='gelu_new',
        layer_norm_eps=1e-5, type_vocab_size=3))), SHORT, True, SETS),
    ('bert of one layer', lambda: t.BertModel(t.BertConfig(**dict(
        bert, num_hidden_layers=1, hidden_act='relu'))), SHORT, False, ('',)),
    ('bert with long texts', lambda: t.BertModel(t.BertConfig(**dict(
        bert, max_position_embeddings=1600))), [5, 513, 700, 300, 1537], True, SETS),
    ('distilbert', lambda: t.DistilBertModel(t.DistilBertConfig(
        vocab_size=99, dim=48, n_layers=3, n_heads=4, hidden_dim=80, max_position_embeddings=128)), SHORT, False, ('',)),
    ('distilbert of sinusoids', lambda: t.DistilBertModel(t.DistilBertConfig(
        vocab_size=99, dim=64, n_layers=2, n_heads=2, hidden_dim=80, max_position_embeddings=128,
        sinusoidal_pos_embds=True, activation='relu')), SHORT, False, ('',)),
    ('roberta', lambda: t.RobertaModel(t.RobertaConfig(**dict(bert, type_vocab_size=1, layer_norm_eps=1e-5))),
     SHORT, False, ('',)),
    ('xlm-roberta', lambda: t.XLMRobertaModel(t.XLMRobertaConfig(**dict(
        bert, type_vocab_size=1, max_position_embeddings=800))), [600, 5, 90], False, ('',)),
    ('camembert', lambda: t.CamembertModel(t.CamembertConfig(**dict(bert, type_vocab_size=1, pad_token_id=5))),
     SHORT, False, ('',)),
    ('mpnet', lambda: t.MPNetModel(t.MPNetConfig(**dict(bert, max_position_embeddings=700))),
     SHORT + [300, 690], False, SETS),
    ('albert', lambda: t.AlbertModel(t.AlbertConfig(**dict(bert, embedding_size=24))), SHORT, True, ('',)),
    ('albert of groups', lambda: t.AlbertModel(t.AlbertConfig(**dict(
        bert, embedding_size=48, num_hidden_layers=4, num_hidden_groups=2, inner_group_num=1, hidden_act='gelu'))),
     SHORT, False, ('',)),
    ('electra', lambda: t.ElectraModel(t.ElectraConfig(**dict(bert, embedding_size=24))), SHORT, True, ('',)),
    ('llama', lambda: t.LlamaModel(t.LlamaConfig(**llama)), SHORT + [600], False, SETS),
    ('llama with biases', lambda: t.LlamaModel(t.LlamaConfig(**dict(
        llama, attention_bias=True, mlp_bias=True, hidden_act='gelu', rms_norm_eps=1e-5, num_key_value_heads=6))),
     SHORT, False, ('',)),
    ('llama 3', lambda: t.LlamaModel(t.LlamaConfig(**dict(llama, rope_parameters={
        'rope_type': 'llama3', 'rope_theta': 5000.0, 'factor': 8.0, 'low_freq_factor': 1.0, 'high_freq_factor': 4.0,
        'original_max_position_embeddings': 64}))), SHORT, False, ('',)),
    ('llama stretched', lambda: t.LlamaModel(t.LlamaConfig(**dict(llama, rope_parameters={
        'rope_type': 'linear', 'rope_theta': 10000.0, 'factor': 4.0}))), SHORT, False, ('',)),
    ('mistral', lambda: t.MistralModel(t.MistralConfig(**dict(llama, sliding_window=40))), SHORT + [600], False, ('',)),
    ('qwen2', lambda: t.Qwen2Model(t.Qwen2Config(**{k: v for k, v in llama.items() if k != 'head_dim'},
                                                 use_sliding_window=True, sliding_window=20, max_window_layers=1)),
     SHORT, False, ('',)),
    ('qwen3', lambda: t.Qwen3Model(t.Qwen3Config(**dict(llama, head_dim=32))), SHORT + [600], False, SETS),
    ('eurobert', lambda: t.EuroBertModel(t.EuroBertConfig(**dict(llama, pad_token_id=0))), SHORT, False, ('',)),
    ('gemma3', lambda: t.Gemma3TextModel(t.Gemma3TextConfig(**dict(
        llama, sliding_window=16, use_bidirectional_attention=True, query_pre_attn_scalar=20, pad_token_id=0,
        layer_types=['sliding_attention', 'full_attention', 'sliding_attention']))), SHORT + [600], False, ('',)),
    ('gemma3 causal', lambda: t.Gemma3TextModel(t.Gemma3TextConfig(**dict(
        llama, sliding_window=16, pad_token_id=0))), SHORT, False, ('',)),
    ('modernbert', lambda: t.ModernBertModel(t.ModernBertConfig(
        vocab_size=99, hidden_size=48, num_hidden_layers=4, num_attention_heads=4, intermediate_size=80,
        local_attention=32, pad_token_id=0, cls_token_id=1, sep_token_id=2)), SHORT + [1100], False, SETS),
    ('modernbert with biases', lambda: t.ModernBertModel(t.ModernBertConfig(
        vocab_size=99, hidden_size=48, num_hidden_layers=2, num_attention_heads=2, intermediate_size=80,
        local_attention=8, pad_token_id=0, norm_bias=True, attention_bias=True, mlp_bias=True)), SHORT, False, ('',)),
    ('nomic', lambda: t.NomicBertModel(t.NomicBertConfig(**dict(bert, max_position_embeddings=2048))),
     SHORT, True, ('',)),
    ('gte', lambda: t.GteModel(t.GteConfig(**dict(bert, max_position_embeddings=2048))), SHORT, False, ('',)),
    ('jina v3', lambda: t.JinaEmbeddingsV3Model(t.JinaEmbeddingsV3Config(**dict(bert, type_vocab_size=1))),
     SHORT, False, ('',)),
]

wanted = sys.argv[1:]
for name, make, lengths, with_types, sets in cases:
    if wanted and name not in wanted:
        continue
    torch.manual_seed(1)
    compare(name, make(), lengths, with_types, sets)
print('%d failures' % failures)
sys.exit(failures != 0)
