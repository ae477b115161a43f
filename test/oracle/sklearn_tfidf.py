# debian: numpy psycopg2 scipy sklearn
"""If this fails, vocabularies, counts or TF-IDF weights are not those of
scikit-learn: CountVectorizer and TfidfVectorizer on the IMDB reviews, every
term and every value."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import imdb
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

connection = imdb.connect()
texts = imdb.load(connection)
report = imdb.Report()


def train(model, options):
    cursor = connection.cursor()
    cursor.execute("SELECT train_vocabulary('%s', 'SELECT body FROM imdb', "
                   "min_token_length => 2%s)" % (model, options))
    return imdb.vocabulary(connection, model)


def compare_table(name, known, vectorizer, counts):
    """Terms, document counts and occurrences of the table."""
    terms = vectorizer.vocabulary_
    if not report.same_terms(name + ': terms', known, terms):
        return False
    documents = (counts > 0).sum(axis=0).A1
    occurrences = counts.sum(axis=0).A1
    wrong = [term for term, (_, ours, total) in known.items()
             if ours != documents[terms[term]] or total != occurrences[terms[term]]]
    report.line(name + ': documents and occurrences', not wrong,
                '%d differ %s' % (len(wrong), wrong[:5]))
    return True


def compare_vectors(name, model, known, vectorizer, expression, reference):
    ours = imdb.reorder(imdb.vectors(connection, expression % model), known,
                        vectorizer.vocabulary_)
    report.same_values(name, ours, reference)


def compare_model(name, model, sql_options, python_options, weightings):
    known = train(model, sql_options)
    vectorizer = CountVectorizer(**python_options)
    counts = vectorizer.fit_transform(texts)
    if not compare_table(name, known, vectorizer, counts):
        return
    compare_vectors(name + ': count_vector', model, known, vectorizer,
                    "count_vector('%s', body)", counts)
    for arguments, options in weightings:
        binary = options.pop('binary', False)
        reference = TfidfTransformer(**options).fit(counts).transform(
            (counts > 0).astype(float) if binary else counts)
        compare_vectors('%s: tfidf(%s)' % (name, arguments or 'default'), model, known,
                        vectorizer, "tfidf('%%s', body%s)"
                        % (', ' + arguments if arguments else ''), reference)


compare_model('default', 'm_default', '', {}, [
    ('', {}),
    ("idf => 'standard'", {'smooth_idf': False}),
    ("tf => 'log'", {'sublinear_tf': True}),
    ("norm => 'l1'", {'norm': 'l1'}),
    ("norm => 'none'", {'norm': None}),
    ("idf => 'none'", {'use_idf': False}),
    ("tf => 'binary'", {'binary': True}),
    ("tf => 'log', idf => 'standard', norm => 'l1'",
     {'sublinear_tf': True, 'smooth_idf': False, 'norm': 'l1'}),
])
vectorizer = CountVectorizer(binary=True)
presence = vectorizer.fit_transform(texts)
compare_vectors('binary: count_vector', 'm_default', imdb.vocabulary(connection, 'm_default'),
                vectorizer, "count_vector('%s', body, presence => true)", presence)

compare_model('n-grams 1-2', 'm_ngrams', ', min_ngram => 1, max_ngram => 2',
              {'ngram_range': (1, 2)}, [('', {})])
compare_model('n-grams 2-3, min_df 5', 'm_trigrams',
              ', min_ngram => 2, max_ngram => 3, min_documents => 5',
              {'ngram_range': (2, 3), 'min_df': 5}, [])
compare_model('min_df 5, max_df 0.3', 'm_cuts', ', min_documents => 5, max_share => 0.3',
              {'min_df': 5, 'max_df': 0.3}, [('', {})])
compare_model('min_df 0.001, max_df 5000', 'm_shares',
              ', min_share => 0.001, max_documents => 5000',
              {'min_df': 0.001, 'max_df': 5000}, [('', {})])

# max_features keeps the terms with the most occurrences; among those that tie
# at the end scikit-learn takes any, and we take the first by bytes.  The sets
# must be equal at a limit that cuts no tie.
counts = sorted((occurrences for _, _, occurrences
                 in imdb.vocabulary(connection, 'm_default').values()), reverse=True)
limit = next(n for n in range(1000, len(counts)) if counts[n - 1] != counts[n])
compare_model('max_features %d' % limit, 'm_features',
              ", max_terms => %d, sort_by => 'term'" % limit,
              {'max_features': limit}, [('', {})])
known = imdb.vocabulary(connection, 'm_features')
report.line("sort_by => 'term'", [term for term, _ in sorted(known.items(), key=lambda x: x[1][0])]
            == sorted(known), 'ids in the order of code points')
report.finish()
