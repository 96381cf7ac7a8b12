// Command referrers-registry serves an OCI registry with the referrers API, over TLS.
package main

import (
	"crypto/tls"
	"flag"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	address := flag.String("address", "", "host:port to listen on")
	certificate := flag.String("tls-cert", "", "certificate chain (PEM)")
	key := flag.String("tls-key", "", "private key (PEM)")
	blobs := flag.String("blobs", "", "folder that holds the blobs")
	verbose := flag.Bool("verbose", false, "log each request")
	flag.Parse()

	if err := os.MkdirAll(*blobs, 0o755); err != nil {
		log.Fatal(err)
	}
	requests := log.New(io.Discard, "", 0)
	if *verbose {
		requests = log.Default()
	}
	// Manifests are kept in memory only: a restart of this registry forgets them.
	handler := registry.New(
		registry.WithReferrersSupport(true),
		registry.WithBlobHandler(registry.NewDiskBlobHandler(*blobs)),
		registry.Logger(requests),
	)
	log.Printf("listening on %s", *address)
	server := http.Server{
		Addr:    *address,
		Handler: handler,
		// It reads one body at a time, under a lock: over HTTP/2 the others would use up the connection's window.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	log.Fatal(server.ListenAndServeTLS(*certificate, *key))
}
