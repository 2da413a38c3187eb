// Decodes Kubernetes manifests from standard input as the API server would: a kind that it does
// not know, a field that the kind has not, or a value of another type ends it. Prints the kinds.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

func main() {
	options := json.SerializerOptions{Yaml: true, Strict: true}
	serializer := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, options)
	reader := yaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	for {
		document, err := reader.Read()
		if err == io.EOF {
			return
		}
		var found runtime.Object
		if err == nil {
			found, _, err = serializer.Decode(document, nil, nil)
		}
		if runtime.IsMissingKind(err) && len(document) < 200 {
			continue // a template that made nothing
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s\n", err, document)
			os.Exit(1)
		}
		fmt.Println(found.GetObjectKind().GroupVersionKind().Kind)
	}
}
