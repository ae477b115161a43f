"""If this fails, training a transformer is not what PyTorch does.

Tiny random models of every family that can be trained: gradients of all tensors
against autograd in double, with each amount of memory; six poolings; changes of
low rank against the same written out in PyTorch.  A model of MiniLM's size:
weights after 20 steps of AdamW with clipping within 1e-4 of PyTorch's.

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

import copy
import json
import random
import re
import tempfile
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import transformer_core
import transformer_models
import tuning_core as core

warnings.simplefilter('ignore')
torch.set_num_threads(1)
library = core.build_trainer()
failures = 0


def check(name, worst, most):
    global failures
    good = worst < most
    failures += not good
    if not good or os.environ.get('EMBED_VERBOSE'):
        print('%-8s %s differs by %.1e' % ('ok' if good else 'FAILED', name, worst), flush=True)


def pooled(pooling, rows):
    weights = torch.arange(1, len(rows) + 1, dtype=rows.dtype)[:, None]
    return {'cls': lambda: rows[0], 'mean': lambda: rows.mean(dim=0), 'max': lambda: rows.max(dim=0).values,
            'mean_sqrt_len_tokens': lambda: rows.sum(dim=0) / len(rows) ** .5,
            'weightedmean': lambda: (rows * weights).sum(dim=0) / weights.sum(),
            'lasttoken': lambda: rows[-1]}[pooling]()


def embed(model, texts, types, pooling, normalize):
    """Text by text, without padding."""
    results = []
    for i, text in enumerate(texts):
        arguments = {} if types is None else {'token_type_ids': torch.tensor([types[i]])}
        results.append(pooled(pooling, model(input_ids=torch.tensor([text]), **arguments).last_hidden_state[0]))
    results = torch.stack(results)
    return torch.nn.functional.normalize(results, dim=-1) if normalize else results


def saved(model):
    """config.json and the tensors as the package saves them."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = json.load(open(os.path.join(folder, 'config.json')))
        tensors = {name: numpy.array(values) for name, values in
                   transformer_core.safetensors(os.path.join(folder, 'model.safetensors'))}
    return config, tensors


def with_gradients(model):
    """The gradients in the form in which the package saves weights: names and fused parts may differ."""
    other = copy.deepcopy(model).float()
    with torch.no_grad():
        for p, q in zip(other.parameters(), model.parameters()):
            p.copy_(q.grad if q.grad is not None else torch.zeros_like(q))
    return saved(other)[1]


def random_texts(name, model, lengths):
    chance = random.Random(name)
    texts = [[chance.randrange(3, model.config.vocab_size) for _ in range(n)] for n in lengths]
    padding = model.config.pad_token_id
    if model.config.model_type in ('roberta', 'mpnet', 'xlm-roberta', 'camembert') and padding is not None:
        texts[-1][len(texts[-1]) // 2] = padding
    return texts, chance


def compare_gradients(name, model, lengths, types=False):
    with torch.no_grad():
        transformer_models.randomize(model, sum(map(ord, name)))
    model.eval()
    model.config._attn_implementation = 'eager'
    texts, chance = random_texts(name, model, lengths)
    kinds = [[chance.randrange(model.config.type_vocab_size) for _ in t] for t in texts] if types else None
    config, tensors = saved(model)
    double = copy.deepcopy(model).double()
    tokens, longest = sum(lengths), max(lengths)
    cases = [(p, share, False) for p, share in zip(core.POOLINGS[1:], (0, 1, .3, .02, 0, 1))] + [('mean', .5, True)]
    for pooling, share, normalize in cases:
        title = '%s, %s, memory %g' % (name, pooling, share)
        try:
            ours = core.Trainer(library, config, tensors, pooling=pooling, normalize=normalize)
        except core.Refused as refusal:
            print('refused  %s: %s' % (name, refusal))
            return
        slope = torch.randn(len(texts), ours.hidden, generator=torch.Generator().manual_seed(1)).double()
        double.zero_grad()
        want = embed(double, texts, kinds, pooling, normalize)
        (want * slope).sum().backward()
        assert ours.start(tokens, len(texts), longest, share)
        got = ours.forward(texts, kinds)
        check('%s, embeddings' % title, abs(got - want.detach().numpy()).max() / abs(want).max().item(), 1e-5)
        ours.backward(slope.numpy())
        gradients = with_gradients(double)
        largest = max(abs(g).max() for g in gradients.values())
        for tensor, right in gradients.items():
            mine = ours.gradient(tensor, right.shape)
            if mine is not None:
                # a key's bias has no gradient at all, but rounding
                least = largest * (.1 if re.search(r'[.]k(ey|_lin|_proj)?[.]bias', tensor) else 1e-3)
                check('%s, %s' % (title, tensor), abs(mine - right).max() / max(abs(right).max(), least), 1e-4)
    frozen = core.Trainer(library, config, tensors, frozen=True)
    assert frozen.start(tokens, len(texts), longest, 0)
    frozen.forward(texts, kinds)
    frozen.backward(slope.numpy())
    check('%s, frozen embeddings' % name, not frozen.library.tune_gradient_square(frozen.shim) > 0, .5)
    print('done     %s' % name, flush=True)


SHORT = [1, 2, 3, 7, 12, 13, 31, 32, 33, 64, 100]
models = transformer_models.models()
for name, lengths, types in (('bert', SHORT, True), ('bert of odd sizes', SHORT, True), ('bert of one layer', SHORT, False),
                             ('bert with long texts', [5, 513, 700, 300, 1100], True), ('distilbert', SHORT, False),
                             ('roberta', SHORT, False), ('xlm-roberta', SHORT, False), ('camembert', SHORT, False),
                             ('mpnet', SHORT + [300], False), ('albert', SHORT, False), ('electra', SHORT, True),
                             ('llama', SHORT, False), ('llama with biases', SHORT, False), ('mistral', SHORT, False),
                             ('qwen2', SHORT, False), ('qwen3', SHORT, False), ('eurobert', SHORT, False),
                             ('gemma3', SHORT, False), ('modernbert', SHORT, False), ('modernbert with biases', SHORT, False),
                             ('nomic', SHORT, True), ('gte', SHORT, True), ('jina v3', SHORT, False)):
    if len(sys.argv) > 1 and not any(a in name for a in sys.argv[1:]):
        continue
    compare_gradients(name, models[name](), lengths, types)


# ---------- changes of low rank ----------

class Changed(torch.nn.Module):
    """A linear layer with alpha / rank * B A beside it, as peft has it."""

    def __init__(self, base, a, b, scale):
        super().__init__()
        self.base, self.scale = base, scale
        self.a, self.b = torch.nn.Parameter(torch.tensor(a)), torch.nn.Parameter(torch.tensor(b))

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.a.T @ self.b.T)


def low_rank():
    model = models['bert']()
    with torch.no_grad():
        transformer_models.randomize(model, 3)
    model.eval()
    texts, _ = random_texts('low rank', model, SHORT)
    config, tensors = saved(model)
    names = {'query': 'attention.self.query', 'value': 'attention.self.value', 'out': 'attention.output.dense',
             'gate': 'intermediate.dense', 'down': 'output.dense'}
    ours = core.Trainer(library, config, tensors, mode='low_rank', rank=4, alpha=12, targets=list(names), seed=5)
    assert ours.start(sum(SHORT), len(SHORT), 100, .5)
    first = ours.forward(texts, training=False)
    with torch.no_grad():
        check('low rank begins at the base', abs(first - embed(model, texts, None, 'mean', False).numpy()).max(), 2e-5)
    changed = []
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for l, layer in enumerate(model.encoder.layer):
        for target, path in names.items():
            *owners, last = path.split('.')
            owner = layer
            for step in owners:
                owner = getattr(owner, step)
            base = getattr(owner, last)
            a, b = ours.adapter(target, l, shape=base.weight.shape, rank=4)
            change = Changed(base, a, b, 3.)
            setattr(owner, last, change)
            changed.append((target, l, change))
    parameters = [p for _, _, c in changed for p in (c.a, c.b)]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=.01)
    slope = torch.randn(len(texts), 48, generator=torch.Generator().manual_seed(2))
    for step in range(20):
        optimizer.zero_grad()
        want = embed(model, texts, None, 'mean', False)
        (want * slope).sum().backward()
        got = ours.forward(texts)
        ours.backward(slope.numpy())
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.).item()
        check('low rank, norm in step %d' % step, abs(ours.step(1e-3, 1.) - norm) / norm, 1e-3)
        optimizer.step()
    for target, l, change in changed:
        a, b = ours.adapter(target, l, shape=change.base.weight.shape, rank=4)
        check('low rank, A of %s %d' % (target, l), abs(a - change.a.detach().numpy()).max() / abs(a).max(), 1e-3)
        check('low rank, B of %s %d' % (target, l), abs(b - change.b.detach().numpy()).max() / abs(b).max(), 1e-2)
    ours.merge()
    with torch.no_grad():
        want = embed(model, texts, None, 'mean', False).numpy()
    check('low rank, merged', abs(ours.forward(texts, training=False) - want).max() / abs(want).max(), 1e-4)
    for target, l, change in changed:
        if target != 'down':
            continue
        name = 'encoder.layer.%d.output.dense.weight' % l
        merged = (change.base.weight + 3. * change.b @ change.a).detach().numpy()
        check('low rank, merged weights', abs(ours.weights(name, merged.shape) - merged).max() / abs(merged).max(), 1e-4)
    print('done     low rank', flush=True)


def twenty_steps(title, model, rate, most):
    """Weights after 20 steps."""
    model.eval()
    chance = random.Random(title)
    batches = [[[chance.randrange(1000, model.config.vocab_size) for _ in range(chance.randrange(3, 40))]
                for _ in range(16)] for _ in range(20)]
    config, tensors = saved(model)
    ours = core.Trainer(library, config, tensors, normalize=False)
    assert ours.start(16 * 40, 16, 40, .5)
    decay = [p for n, p in model.named_parameters() if p.ndim > 1]
    plain = [p for n, p in model.named_parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW([{'params': decay, 'weight_decay': .01}, {'params': plain, 'weight_decay': 0}], lr=rate)
    for texts in batches:
        optimizer.zero_grad()
        x = embed(model, texts, None, 'mean', False)
        a, b = torch.nn.functional.normalize(x[:8], dim=-1), torch.nn.functional.normalize(x[8:], dim=-1)
        loss = torch.nn.functional.cross_entropy(20 * a @ b.T, torch.arange(8))
        loss.backward()
        got = ours.forward(texts)
        value, gradients, _ = core.loss(library, 'multiple_negatives_ranking', [got[:8], got[8:]])
        check('%s, loss' % title, abs(value - loss.item()) / loss.item(), 1e-3)
        ours.backward(numpy.concatenate(gradients))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.)
        optimizer.step()
        ours.step(rate, 1.)
    worst = {}
    before = tensors
    for tensor, right in saved(model)[1].items():
        mine = ours.weights(tensor, right.shape)
        if mine is None:
            continue
        moved = ((right - before[tensor]) ** 2).sum() ** .5
        error = ((mine - right) ** 2).sum() ** .5
        # a key's bias has no gradient but rounding, which AdamW makes as large as any
        if 'key.bias' not in tensor:
            worst[tensor] = error / (right ** 2).sum() ** .5
            check('%s, %s' % (title, tensor), worst[tensor], most)
    print('done     %s: weights within %.1e' % (title, max(worst.values())), flush=True)


if len(sys.argv) == 1 or 'steps' in sys.argv:
    low_rank()
    torch.manual_seed(7)
    minilm = transformers.BertModel(transformers.BertConfig(
        vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
        max_position_embeddings=512), add_pooling_layer=False)
    twenty_steps("a model of MiniLM's size", minilm, 2e-5, 1e-4)

print('%d failures' % failures)
sys.exit(failures > 0)
