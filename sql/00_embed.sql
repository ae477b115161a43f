\echo Use "CREATE EXTENSION embed" to load this file. \quit
