// The custom topic for immediate alerts: CloudEvents, and no keys.

@description('Name of the topic.')
@minLength(3)
@maxLength(50)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Whether public networks reach it. Only Entra ID identities may publish either way.')
param publicAccess bool

@description('Resource id of the workspace for its diagnostics.')
param workspaceId string

@description('Object id of the app\'s identity.')
param principalId string

var roles = loadJsonContent('../role-ids.json')

resource topic 'Microsoft.EventGrid/topics@2022-06-15' = {
  name: name
  location: location
  tags: tags
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
  }
}

resource publish 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: topic
  name: guid(topic.id, principalId, roles.eventGridDataSender.id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventGridDataSender.id)
    description: 'The app publishes its alerts on this topic.'
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: topic
  name: 'failures-to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'DeliveryFailures'
        enabled: true
      }
      {
        category: 'PublishFailures'
        enabled: true
      }
    ]
  }
}

@description('Resource id.')
output id string = topic.id

@description('The endpoint that alerts are published to.')
output endpoint string = topic.properties.endpoint
