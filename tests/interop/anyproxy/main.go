// An agent and a gateway of AnyProxy, written from its API document alone, as a stranger would.
//
//	anyproxy agent   -url wss://... -ca ca.pem -username U -password P -client-id ID [-ping 30s] [-forbid HOST]
//	anyproxy gateway -cert cert.pem -key key.pem -username U -password P
//
// What happens is told as lines of JSON on stdout. It ends with its stdin.
package main

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Message is the envelope of all of them.
type Message struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

type authData struct {
	Username string `json:"username"`
	Password string `json:"password"`
	ClientID string `json:"client_id"`
}

type authResponse struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
}

type connectData struct {
	ConnectionID string `json:"connection_id"`
	TargetHost   string `json:"target_host"`
	TargetPort   int    `json:"target_port"`
	Protocol     string `json:"protocol"`
}

type connectResponse struct {
	ConnectionID string `json:"connection_id"`
	Success      bool   `json:"success"`
	Message      string `json:"message"`
}

type payloadData struct {
	ConnectionID string `json:"connection_id"`
	Payload      string `json:"payload"`
}

type closeData struct {
	ConnectionID string `json:"connection_id"`
	Reason       string `json:"reason"`
}

type timeData struct {
	Timestamp int64 `json:"timestamp"`
}

type errorData struct {
	Code         string `json:"code"`
	Message      string `json:"message"`
	ConnectionID string `json:"connection_id,omitempty"`
}

// link is a WebSocket that many goroutines may write to.
type link struct {
	socket *websocket.Conn
	mutex  sync.Mutex
}

func (l *link) send(kind string, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.socket.WriteJSON(Message{Type: kind, Data: body})
}

// pump sends what a connection says until it ends; `close` is for the caller.
func (l *link) pump(id string, from io.Reader) error {
	buffer := make([]byte, 32*1024)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			payload := base64.StdEncoding.EncodeToString(buffer[:n])
			if failed := l.send("data", payloadData{id, payload}); failed != nil {
				return failed
			}
		}
		if err != nil {
			return err
		}
	}
}

var telling sync.Mutex

// tell says what happened, for the test that runs us.
func tell(event string, fields map[string]any) {
	if fields == nil {
		fields = map[string]any{}
	}
	fields["event"] = event
	telling.Lock()
	defer telling.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(fields); err != nil {
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) < 2 {
		log.Fatal("anyproxy agent|gateway ...")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	username := flags.String("username", "", "user")
	password := flags.String("password", "", "password")
	url := flags.String("url", "", "the gateway, for an agent")
	ca := flags.String("ca", "", "certificates to trust, for an agent")
	clientID := flags.String("client-id", "", "id of an agent")
	ping := flags.Duration("ping", 30*time.Second, "between two pings of an agent")
	forbid := flags.String("forbid", "", "a host that an agent refuses")
	cert := flags.String("cert", "", "certificate of a gateway")
	key := flags.String("key", "", "key of a gateway")
	_ = flags.Parse(os.Args[2:])
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	auth := authData{*username, *password, *clientID}
	switch os.Args[1] {
	case "agent":
		runAgent(*url, *ca, auth, *ping, *forbid)
	case "gateway":
		runGateway(*cert, *key, auth)
	default:
		log.Fatalf("no such part: %s", os.Args[1])
	}
}
