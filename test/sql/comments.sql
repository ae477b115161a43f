-- If this fails, an object of the extension has no COMMENT: \d+ and a reader
-- of the catalogs learn nothing about it.
SELECT pg_describe_object(classid, objid, objsubid) AS object_without_comment
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'embed')
	AND obj_description(objid, classid::regclass::name) IS NULL
ORDER BY 1;
