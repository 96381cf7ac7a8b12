module chainwright.dev/stack/referrers-registry

go 1.27

require github.com/google/go-containerregistry v0.21.7
