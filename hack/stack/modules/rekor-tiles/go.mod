module chainwright.dev/stack/rekor-tiles

go 1.27

require github.com/sigstore/rekor-tiles/v2 v2.4.1

// Upstream's own pins of these two are not served by every Go proxy; the server
// uses nothing that the older releases lack.
replace (
	github.com/sigstore/fulcio => github.com/sigstore/fulcio v1.8.8
	goa.design/goa/v3 => goa.design/goa/v3 v3.27.0
)
