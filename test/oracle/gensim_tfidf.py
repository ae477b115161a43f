# debian: gensim numpy psycopg2 scipy
"""If this fails, TF-IDF weights are not those of gensim's TfidfModel under the
SMART letters: the IMDB reviews, every value.

gensim's logarithms have the base 2, hence log_base.  Its pivoted norms (u, b)
are not offered here.  Seven of the 48 combinations hold every letter."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import imdb
import scipy.sparse
from gensim.corpora import Dictionary
from gensim.models import TfidfModel

TF = {'n': 'raw', 'b': 'binary', 'l': 'log', 'd': 'double_log', 'a': 'augmented',
      'L': 'log_average'}
IDF = {'n': 'none', 'f': 'textbook', 't': 'shifted', 'p': 'probabilistic_clipped'}
NORM = {'n': 'none', 'c': 'l2'}

connection = imdb.connect()
texts = imdb.load(connection)
report = imdb.Report()
cursor = connection.cursor()
cursor.execute("SELECT train_vocabulary('m', 'SELECT body FROM imdb')")
known = imdb.vocabulary(connection, 'm')

documents = [re.findall(r'\w+', text.lower()) for text in texts]
dictionary = Dictionary(documents)
bags = [dictionary.doc2bow(document) for document in documents]
if report.same_terms('terms', known, dictionary.token2id):
    for letters in ['nfc', 'bpc', 'ltc', 'atn', 'dfn', 'Lnn', 'nnc']:
        model = TfidfModel(dictionary=dictionary, smartirs=letters)
        rows, columns, values = [], [], []
        for row, bag in enumerate(bags):
            for column, value in model[bag]:
                rows.append(row)
                columns.append(column)
                values.append(value)
        theirs = scipy.sparse.csr_matrix((values, (rows, columns)),
                                         shape=(len(bags), len(dictionary)))
        ours = imdb.vectors(connection, "tfidf('m', body, tf => '%s', idf => '%s', norm => '%s',"
                            " log_base => 2)" % (TF[letters[0]], IDF[letters[1]], NORM[letters[2]]))
        report.same_values(letters, imdb.reorder(ours, known, dictionary.token2id), theirs)
report.finish()
