-- If this fails, an object of the extension has no COMMENT: \d+ and a reader
-- of the catalogs learn nothing about it.  (Types that come with another
-- object, of arrays and of rows, are not ours to describe.)
SELECT pg_describe_object(classid, objid, objsubid) AS object_without_comment
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'embed')
	AND obj_description(objid, classid::regclass::name) IS NULL
	AND NOT (classid = 'pg_type'::regclass AND objid IN (SELECT typarray FROM pg_type UNION SELECT reltype FROM pg_class
		UNION SELECT t.typarray FROM pg_type t JOIN pg_class c ON c.reltype = t.oid))
ORDER BY 1;
